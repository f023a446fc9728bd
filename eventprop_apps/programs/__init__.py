"""The programs of the PEs, and the kernels that do a step of all PEs of a kind in one call.

=================== ==============================================================================
input, loss         the first and the last PE of a replica: play a sample, judge the outputs
layer, readout      a layer's step on PEs that have neurons with their weights
slices, neurons     the same where a layer is split by inputs; currents is what goes between them
layer_programs      a layer PE's batch: steps, then the exchange
optimiser           the optimiser PE's: gather, update, broadcast
batches, plan       what all of them share: jobs, one after another, and the host's samples
ports, inbox        from and to packets, whatever parts a layer has; decode has the loops
whole               steps of the above in one compiled call each
watch               what a trace shows of the neurons
=================== ==============================================================================
"""
