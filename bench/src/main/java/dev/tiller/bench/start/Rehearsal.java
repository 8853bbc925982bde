package dev.tiller.bench.start;

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
 * sizes, other ways through them came first, and the products of single tokens were four times slower ever after.
 */
public final class Rehearsal {
    private static final List<String> FORMATS = List.of("f32", "bf16", "f16", "q8", "q4");

    private Rehearsal() {}

    /** Argument: the folder with the jars of the program. */
    public static void main(String[] args) throws IOException {
        for (String format : FORMATS) {
            List<String> command = new ArrayList<>(List.of("generate", "--no-cache", "--backend", "simd"));
            command.addAll(List.of("--weights", format, "--max-tokens", "2", "--prompt", "Will my plan work?"));
            ByteArrayOutputStream errors = new ByteArrayOutputStream();
            Console console = Console.of(InputStream.nullInputStream(), new ByteArrayOutputStream(), errors);
            int code = Main.run(console, command.toArray(String[]::new));
            if (code != 0) {
                System.err.print(errors);
                System.exit(code);
            }
        }
        try (Stream<Path> jars = Files.list(Path.of(args[0]))) {
            for (Path jar : jars.filter(Rehearsal::isOwn).toList()) {
                load(jar);
            }
        }
        System.exit(0); // threads that wait for something may remain
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
