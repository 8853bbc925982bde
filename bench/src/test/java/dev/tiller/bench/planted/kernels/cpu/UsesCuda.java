package dev.tiller.bench.planted.kernels.cpu;

import jcuda.StandIn;

/** A breach: JCuda outside the CUDA package. */
final class UsesCuda {
    StandIn forbidden;
}
