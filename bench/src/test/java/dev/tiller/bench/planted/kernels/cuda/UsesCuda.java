package dev.tiller.bench.planted.kernels.cuda;

import jcuda.StandIn;

/** No breach: here JCuda is at home. */
final class UsesCuda {
    StandIn allowed;
}
