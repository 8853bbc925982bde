package dev.tiller.bench.planted.kernels.scalar;

import jdk.incubator.vector.FloatVector;

/** A breach: the Vector API outside the CPU package. */
final class UsesVectors {
    FloatVector forbidden;
}
