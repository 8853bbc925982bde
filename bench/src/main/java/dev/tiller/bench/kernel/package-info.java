/** Single operations of the SIMD backend under JMH, at the shapes of two models, beside what the machine can do. */
package dev.tiller.bench.kernel;
