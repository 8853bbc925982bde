/** Traits, persona vectors and their measurement. */
package dev.tiller.persona;
