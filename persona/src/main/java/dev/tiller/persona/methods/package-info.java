/** The arithmetic of finding directions in two groups of activations. */
package dev.tiller.persona.methods;
