/** The transformer: one forward pass driven by data, steering, taps, generation. */
package dev.tiller.engine;
