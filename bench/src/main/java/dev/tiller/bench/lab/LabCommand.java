package dev.tiller.bench.lab;

import dev.tiller.persona.cli.Console;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code tiller lab}: experiments with single kernels. */
@Command(
        name = "lab",
        header = "Try your own kernels: check them, time them, generate text with them.",
        description = {
            "Kernels are CUDA sources (.cu) or Java classes (.class, .java). A CUDA kernel is compiled for the GPU if there"
                    + " is one, else for the CPU by g++, thread by thread: slow, but with the same results.",
            "The walk-through is docs/kernel-lab.md."
        },
        footer = {
            "",
            "Examples:",
            "  tiller lab list",
            "  tiller lab check site --kernel my_site.cu",
            "  tiller lab bench site --kernel MySite.java --backend simd",
            "  tiller lab run site=my_site.cu --prompt \"Once upon a time\" --max-tokens 20"
        })
public final class LabCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    private LabCommand() {}

    /** The command with its subcommands. */
    public static CommandLine of(Console console) {
        CommandLine line = new CommandLine(new LabCommand());
        line.addSubcommand(new LabList(console));
        line.addSubcommand(new LabCheck(console));
        line.addSubcommand(new LabBench(console));
        line.addSubcommand(new LabRun(console));
        return line;
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a subcommand is missing: list, check, bench or run");
    }
}
