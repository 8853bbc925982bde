/** Steering written into weights: checkpoints and adapters that other programs run, with a proof that they do the same. */
package dev.tiller.persona.bake;
