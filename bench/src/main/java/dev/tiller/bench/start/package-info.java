/** What the program's script runs after a build, for quick starts. */
package dev.tiller.bench.start;
