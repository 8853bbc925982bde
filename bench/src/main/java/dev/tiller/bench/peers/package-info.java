/** Tiller beside other engines on the same weights, taking turns in one run. */
package dev.tiller.bench.peers;
