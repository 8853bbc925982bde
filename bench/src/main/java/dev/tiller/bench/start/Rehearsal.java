package dev.tiller.bench.start;

import dev.tiller.kernels.Backends;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.cli.Console;
import dev.tiller.persona.cli.Main;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.JarFile;
import java.util.stream.Stream;

/**
 * Does what a first use of the program does, so that Java can see which classes it needs and which methods it compiles. Run
 * by the program's script after a build. Kernels run here as the warm-up and the bundled model run them: rehearsed at larger
 * sizes, other ways through them came first, and the products of single tokens were four times slower ever after. What the
 * bundled model does not need is run without them.
 */
public final class Rehearsal {
    private static final List<String> FORMATS = List.of("f32", "bf16", "f16", "q8", "q4");

    /** New tokens: so many that the products of single tokens are compiled in every format. */
    private static final String TOKENS = "32";

    private Rehearsal() {}

    /** Argument: the folder with the jars of the program. */
    public static void main(String[] args) throws IOException {
        for (String format : FORMATS) {
            generate(
                    "--backend", "simd", "--weights", format, "--max-tokens", TOKENS, "--prompt", "Will my plan work?");
        }
        readGguf();
        lookForCuda();
        try (Stream<Path> jars = Files.list(Path.of(args[0]))) {
            for (Path jar : jars.filter(Rehearsal::isOwn).toList()) {
                load(jar);
            }
        }
        System.exit(0); // threads that wait for something may remain
    }

    private static void readGguf() {
        try {
            Path file = Files.createTempFile("tiller-rehearsal", ".gguf");
            try {
                SmallGguf.write(file);
                String model = file.toString();
                run("--backend", "scalar", "--model", model, "--max-tokens", "2", "--prompt", SmallGguf.TEXT);
            } finally {
                Files.delete(file);
            }
        } catch (IOException e) {
            System.err.println("no GGUF file was read: " + e); // the rest is worth keeping
        }
    }

    private static void lookForCuda() {
        try {
            Backends.open("auto", 1).close();
        } catch (TillerException | LinkageError e) {
            System.err.println("no backend was looked for: " + e);
        }
    }

    private static void generate(String... options) {
        int code = run(options);
        if (code != 0) {
            System.exit(code);
        }
    }

    private static int run(String... options) {
        List<String> command = new ArrayList<>(List.of("generate", "--no-cache", "--ignore-eos"));
        command.addAll(List.of(options));
        ByteArrayOutputStream errors = new ByteArrayOutputStream();
        Console console = Console.of(InputStream.nullInputStream(), new ByteArrayOutputStream(), errors);
        int code = Main.run(console, command.toArray(String[]::new));
        if (code != 0) {
            System.err.print(errors);
        }
        return code;
    }

    private static boolean isOwn(Path jar) {
        return jar.getFileName().toString().matches("(loader|kernels|engine|persona)-.*\\.jar");
    }

    /** The bundled model has one kind of files; other kinds need other classes. */
    private static void load(Path jar) throws IOException {
        try (JarFile file = new JarFile(jar.toFile())) {
            List<String> names = file.stream()
                    .map(e -> e.getName())
                    .filter(n -> n.startsWith("dev/tiller/") && n.endsWith(".class"))
                    .filter(n -> !n.contains("/cuda/") && !n.contains("package-info"))
                    .map(n -> n.substring(0, n.length() - ".class".length()).replace('/', '.'))
                    .toList();
            for (String name : names) {
                try {
                    Class.forName(name, false, Rehearsal.class.getClassLoader());
                } catch (ClassNotFoundException | LinkageError e) {
                    System.err.println("not loaded: " + name + " (" + e + ")");
                }
            }
        }
    }
}
