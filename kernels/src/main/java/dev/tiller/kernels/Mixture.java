package dev.tiller.kernels;

import java.util.List;

/**
 * A sparse mixture of experts (Shazeer et al., Outrageously Large Neural Networks, 2017): each row goes through a few
 * experts, chosen by its router's scores.
 *
 * @param experts all of one shape
 * @param chosen experts a row goes through, from 1 to all of them
 * @param normalised true if the weights of the chosen experts are divided by their sum
 * @param activation of the gates
 */
public record Mixture(List<Expert> experts, int chosen, boolean normalised, Activation activation) {}
