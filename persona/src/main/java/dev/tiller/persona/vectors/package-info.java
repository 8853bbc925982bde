/** Vector files of other tools: read into our form and written from it; arithmetic and verification of vectors. */
package dev.tiller.persona.vectors;
