package dev.tiller.bench.planted.kernels.cpu;

import jdk.incubator.vector.FloatVector;

/** No breach: here the Vector API is at home. */
final class UsesVectors {
    FloatVector allowed;
}
