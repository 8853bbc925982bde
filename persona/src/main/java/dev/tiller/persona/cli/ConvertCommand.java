package dev.tiller.persona.cli;

import dev.tiller.loader.DType;
import dev.tiller.loader.TillerException;
import dev.tiller.loader.gguf.GgufConversion;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code tiller convert}: a GGUF file as a Hugging Face directory. */
@Command(
        name = "convert",
        header = "Write a GGUF model as a Hugging Face directory.",
        description = {
            "Writes safetensors, config.json, tokenizer.json and the chat template, as transformers and other programs read"
                    + " them. f32 (the default) holds the weights exactly as Tiller computes with them, whatever the type in"
                    + " the file; bf16 and f16 take half the room and round each weight to the nearest, bf16 to 8 bits of"
                    + " precision, f16 to 11 up to 65504 (a larger weight is refused).",
            "OUTDIR is complete or absent. Stopped with Ctrl-C, the same command goes on with the finished files of a model"
                    + " of several files (5 GB each) and begins a smaller one again."
        },
        footer = {
            "",
            "Examples:",
            "  tiller convert SmolLM2-135M-Instruct.Q4_1.gguf smollm2",
            "  tiller convert llama-8b.Q8_0.gguf llama-8b --dtype bf16"
        })
final class ConvertCommand implements Callable<Integer> {
    /** How the weights are written. */
    enum Type {
        F32(DType.F32),
        F16(DType.F16),
        BF16(DType.BF16);

        private final DType dtype;

        Type(DType dtype) {
            this.dtype = dtype;
        }

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private static final long MEGABYTE = 1_000_000;

    private final Console console;

    @Parameters(index = "0", paramLabel = "MODEL.gguf", description = "The file.")
    private Path model;

    @Parameters(index = "1", paramLabel = "OUTDIR", description = "New or empty directory.")
    private Path out;

    @Option(names = "--dtype", paramLabel = "TYPE", description = "f32, f16 or bf16 (default: f32).")
    private Type type = Type.F32;

    ConvertCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (!Files.exists(model)) {
            throw new TillerException(model + ": no such file");
        }
        if (Files.isDirectory(model)) {
            throw new TillerException(model + ": expected a .gguf file, found a directory");
        }
        AtomicBoolean stopped = new AtomicBoolean();
        CountDownLatch ended = new CountDownLatch(1);
        Thread onSignal = new Thread(() -> {
            stopped.set(true);
            await(ended);
        });
        Runtime.getRuntime().addShutdownHook(onSignal);
        long bytes;
        try (ProgressLine progress = new ProgressLine(console, false)) {
            bytes = GgufConversion.convert(model, out, type.dtype, (done, total) -> {
                if (stopped.get()) {
                    throw new TillerException(out + ": stopped; the same command goes on");
                }
                long all = Math.max(1, Math.round(total / (double) MEGABYTE));
                progress.update("writing weights (MB)", done == total ? all : Math.min(done / MEGABYTE, all - 1), all);
            });
        } catch (TillerException e) {
            if (!stopped.get()) {
                throw e;
            }
            console.note("tiller: " + e.getMessage()); // here, as the process ends when the conversion has
            return Main.FAILED;
        } finally {
            ended.countDown();
            forget(onSignal);
        }
        console.line(String.format(
                Locale.ROOT, "%s: %,d MB of weights in %s", out, Math.round(bytes / (double) MEGABYTE), type));
        return Main.OK;
    }

    private static void forget(Thread onSignal) {
        try {
            Runtime.getRuntime().removeShutdownHook(onSignal);
        } catch (IllegalStateException e) {
            return; // the process is ending already
        }
    }

    /** The time that a part of a tensor and the clearing up take at most. */
    private static void await(CountDownLatch ended) {
        try {
            ended.await(20, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
