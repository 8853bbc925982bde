package dev.tiller.bench.start;

import java.io.IOException;
import java.net.URI;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * Copies the classes of the vector module of this JDK into a jar. As long as the module is an incubating one, Java makes no
 * complete archive of a program that uses it: no linked classes, no lambdas and no profiles of methods. Classes that are
 * appended to Java's own class path are in no module, and so have nothing of that. Run by the program's script after a
 * build.
 */
public final class VectorClasses {
    private static final String MODULE = "jdk.incubator.vector";

    private VectorClasses() {}

    /** Argument: the jar. */
    public static void main(String[] args) throws IOException {
        copy(Path.of(args[0]));
    }

    /**
     * Writes the jar.
     *
     * @return how many classes it has
     */
    static int copy(Path jar) throws IOException {
        Path module = FileSystems.getFileSystem(URI.create("jrt:/")).getPath("/modules", MODULE);
        List<Path> classes;
        try (Stream<Path> files = Files.walk(module)) {
            classes = files.filter(f -> f.toString().endsWith(".class"))
                    .filter(f -> !f.getFileName().toString().equals("module-info.class"))
                    .sorted()
                    .toList();
        }
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(jar))) {
            for (Path c : classes) {
                out.putNextEntry(new ZipEntry(module.relativize(c).toString()));
                Files.copy(c, out);
                out.closeEntry();
            }
        }
        return classes.size();
    }
}
