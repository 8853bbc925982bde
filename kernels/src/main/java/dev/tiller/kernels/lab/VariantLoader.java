package dev.tiller.kernels.lab;

import dev.tiller.kernels.Backend;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/** Loads a {@link Variant} from a class file, or from a Java source file that it compiles first. */
public final class VariantLoader {
    private VariantLoader() {}

    /**
     * The variant in that file, on top of {@code base}. Its class has a constructor that takes a {@link Backend}, and
     * overrides the operation.
     */
    public static Variant load(Path file, Operation operation, Backend base) {
        Path classFile = file.toString().endsWith(".java") ? compile(file) : file;
        Class<?> type = new FolderLoader(classFile.toAbsolutePath().getParent()).define(classFile);
        if (!Variant.class.isAssignableFrom(type)) {
            throw new TillerException(
                    file + ": expected a class that extends " + Variant.class.getName() + ", found " + type.getName());
        }
        if (!overrides(type, operation)) {
            throw new TillerException(file + ": expected a class that overrides "
                    + String.join(" or ", operation.methods()) + ", found " + type.getName() + ", which does not");
        }
        try {
            return (Variant) type.getConstructor(Backend.class).newInstance(base);
        } catch (NoSuchMethodException e) {
            throw new TillerException(
                    file + ": expected a public class with a public constructor (Backend base), found none", e);
        } catch (InvocationTargetException e) {
            throw new TillerException(file + ": its constructor failed: " + e.getCause(), e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new TillerException(file + ": cannot be used: " + e.getMessage(), e);
        }
    }

    private static boolean overrides(Class<?> type, Operation operation) {
        for (Class<?> c = type; c != Variant.class; c = c.getSuperclass()) {
            if (Arrays.stream(c.getDeclaredMethods())
                    .anyMatch(m -> operation.methods().contains(m.getName()))) {
                return true;
            }
        }
        return false;
    }

    private static Path compile(Path source) {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        if (compiler == null) {
            throw new TillerException(
                    source + ": this Java has no compiler; compile it yourself and give the class file");
        }
        DiagnosticCollector<JavaFileObject> messages = new DiagnosticCollector<>();
        try (StandardJavaFileManager files = compiler.getStandardFileManager(messages, Locale.ROOT, null)) {
            Path out = Files.createTempDirectory("tiller-lab");
            out.toFile().deleteOnExit();
            List<String> options = List.of(
                    "-d",
                    out.toString(),
                    "-cp",
                    System.getProperty("java.class.path"),
                    "--add-modules=jdk.incubator.vector",
                    "-proc:none");
            boolean ok = compiler.getTask(null, files, messages, options, null, files.getJavaFileObjects(source))
                    .call();
            if (!ok) {
                throw new TillerException(messages.getDiagnostics().stream()
                        .filter(d -> d.getKind() == Diagnostic.Kind.ERROR)
                        .map(d -> source + ":" + d.getLineNumber() + ": " + d.getMessage(Locale.ROOT))
                        .collect(Collectors.joining("\n")));
            }
            String name = source.getFileName().toString().replaceFirst("\\.java$", ".class");
            try (var found = Files.walk(out)) {
                return found.filter(p -> p.getFileName().toString().equals(name))
                        .findFirst()
                        .orElseThrow(() -> new TillerException(source + ": declares no class of that name"));
            }
        } catch (IOException e) {
            throw new TillerException(source + ": " + e.getMessage(), e);
        }
    }

    /** Finds a class and its nested classes among the class files of one folder. */
    private static final class FolderLoader extends ClassLoader {
        private final Path folder;

        FolderLoader(Path folder) {
            super(VariantLoader.class.getClassLoader());
            this.folder = folder;
        }

        Class<?> define(Path file) {
            try {
                byte[] bytes = Files.readAllBytes(file);
                return defineClass(null, bytes, 0, bytes.length);
            } catch (IOException e) {
                throw new TillerException(file + ": cannot be read: " + e.getMessage(), e);
            } catch (LinkageError e) {
                throw new TillerException(file + ": expected a class file for this Java, found " + e.getMessage(), e);
            }
        }

        @Override
        protected Class<?> findClass(String name) throws ClassNotFoundException {
            Path file = folder.resolve(name.substring(name.lastIndexOf('.') + 1) + ".class");
            if (!Files.isRegularFile(file)) {
                throw new ClassNotFoundException(name);
            }
            return define(file);
        }
    }
}
