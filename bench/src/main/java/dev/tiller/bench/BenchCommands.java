package dev.tiller.bench;

import dev.tiller.bench.kernel.KernelsCommand;
import dev.tiller.bench.lab.LabCommand;
import dev.tiller.bench.page.PageCommand;
import dev.tiller.persona.cli.CommandProvider;
import dev.tiller.persona.cli.Console;
import java.util.List;
import picocli.CommandLine;

/** Adds {@code bench} and {@code lab} to the command line. */
public final class BenchCommands implements CommandProvider {
    @Override
    public List<Object> commands(Console console) {
        CommandLine bench = new CommandLine(new BenchCommand(console));
        bench.addSubcommand(new GpuCommand(console));
        bench.addSubcommand(new ParityCommand(console));
        bench.addSubcommand(new KernelsCommand(console));
        bench.addSubcommand(new RoundsCommand(console));
        bench.addSubcommand(new StartupCommand(console));
        bench.addSubcommand(new SteeringCommand(console));
        bench.addSubcommand(new SiteCommand(console));
        bench.addSubcommand(new RolloutsCommand(console));
        bench.addSubcommand(new QualityCommand(console));
        bench.addSubcommand(new TokenizerCommand(console));
        bench.addSubcommand(new PageCommand(console));
        return List.of(bench, LabCommand.of(console));
    }
}
