/** Benchmarks: JMH for single operations, a table of whole-model rates, and peers beside it. Nothing depends on them. */
package dev.tiller.bench;
