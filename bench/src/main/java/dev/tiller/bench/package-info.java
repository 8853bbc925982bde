/** Benchmarks: JMH classes for kernels and the end-to-end table behind {@code tiller bench}. */
package dev.tiller.bench;
