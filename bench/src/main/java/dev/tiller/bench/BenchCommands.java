package dev.tiller.bench;

import dev.tiller.persona.cli.CommandProvider;
import dev.tiller.persona.cli.Console;
import java.util.List;

/** Adds {@code bench} to the command line. */
public final class BenchCommands implements CommandProvider {
    @Override
    public List<Object> commands(Console console) {
        return List.of(new BenchCommand(console));
    }
}
