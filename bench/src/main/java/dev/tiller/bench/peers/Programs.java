package dev.tiller.bench.peers;

import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** Runs other programs to their end. */
final class Programs {
    private static final long MOST_MINUTES = 20;

    private Programs() {}

    /** What a program wrote. */
    record Output(String out, String err) {}

    /** Runs a program; an exit code other than 0 is an error with the end of what it said. */
    static Output run(List<String> command) {
        return run(command, Map.of());
    }

    static Output run(List<String> command, Map<String, String> environment) {
        String program = Path.of(command.getFirst()).getFileName().toString();
        Path out = null;
        Path err = null;
        Process process = null;
        try {
            out = Files.createTempFile("tiller-peer", ".out");
            err = Files.createTempFile("tiller-peer", ".err");
            ProcessBuilder builder = new ProcessBuilder(command)
                    .redirectInput(
                            ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                    .redirectOutput(out.toFile())
                    .redirectError(err.toFile());
            builder.environment().putAll(environment);
            process = builder.start();
            if (!process.waitFor(MOST_MINUTES, TimeUnit.MINUTES)) {
                throw new TillerException(program + ": not done after " + MOST_MINUTES + " minutes");
            }
            Output output = new Output(read(out), read(err));
            if (process.exitValue() != 0) {
                throw new TillerException(program + ": exit code " + process.exitValue() + ", " + end(output));
            }
            return output;
        } catch (IOException e) {
            throw new TillerException(program + ": cannot be run (" + e.getMessage() + ")", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new TillerException(program + ": interrupted", e);
        } finally {
            if (process != null) {
                process.destroy();
            }
            delete(out);
            delete(err);
        }
    }

    private static String read(Path file) throws IOException {
        return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
    }

    private static String end(Output output) {
        String said = (output.out + output.err).strip();
        return said.isEmpty() ? "it said nothing" : "it said: ..." + said.substring(Math.max(0, said.length() - 300));
    }

    private static void delete(Path file) {
        try {
            if (file != null) {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A program in a folder, or on the PATH if no folder is given. */
    static Optional<Path> find(String name, Path folder) {
        if (folder != null) {
            for (Path place : List.of(folder, folder.resolve("bin"), folder.resolve("build/bin"))) {
                if (Files.isExecutable(place.resolve(name))) {
                    return Optional.of(place.resolve(name));
                }
            }
            return Optional.empty();
        }
        for (String place : System.getenv().getOrDefault("PATH", "").split(":")) {
            if (!place.isEmpty() && Files.isExecutable(Path.of(place, name))) {
                return Optional.of(Path.of(place, name));
            }
        }
        return Optional.empty();
    }
}
