/** The command line: one class per command, all reachable from {@link dev.tiller.persona.cli.Main}. */
package dev.tiller.persona.cli;
