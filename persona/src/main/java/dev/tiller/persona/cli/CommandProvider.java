package dev.tiller.persona.cli;

import java.util.List;

/**
 * Adds subcommands to {@code tiller}. Modules above this one name their implementation in
 * {@code META-INF/services/dev.tiller.persona.cli.CommandProvider}.
 */
public interface CommandProvider {
    /**
     * New command objects: annotated with picocli's {@code @Command}, implementing {@code Callable<Integer>} (the exit
     * code). A mistake of the user is thrown as {@link dev.tiller.loader.TillerException}.
     *
     * @param console the streams that the commands read and write
     */
    List<Object> commands(Console console);
}
