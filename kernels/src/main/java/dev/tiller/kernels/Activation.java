package dev.tiller.kernels;

/** Gate activations: SILU x*sigmoid(x); GELU exact (erf); GELU_TANH the tanh approximation. */
public enum Activation {
    SILU,
    GELU,
    GELU_TANH
}
