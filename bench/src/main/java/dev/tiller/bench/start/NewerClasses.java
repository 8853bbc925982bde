package dev.tiller.bench.start;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassFileVersion;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeTransform;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/**
 * Copies a jar and brings its oldest classes up to date. Class files older than version 50 (Java 6) have no stack maps:
 * Java verifies them at every start with its old, slow verifier and keeps them out of its archives of prepared classes.
 * The copy has stack maps and is otherwise the same code. Run by the program's script after a build.
 */
public final class NewerClasses {
    /** The first version whose classes are verified by stack maps. */
    private static final int FIRST = 50;

    private NewerClasses() {}

    /** Arguments: the jar, the copy. */
    public static void main(String[] args) throws IOException {
        copy(Path.of(args[0]), Path.of(args[1]));
    }

    /**
     * Copies a jar.
     *
     * @return how many classes were changed
     */
    static int copy(Path jar, Path to) throws IOException {
        int changed = 0;
        URI all = jar.toUri();
        try (URLClassLoader loader = new URLClassLoader(new URL[] {all.toURL()});
                ZipFile from = new ZipFile(jar.toFile());
                OutputStream file = Files.newOutputStream(to);
                ZipOutputStream out = new ZipOutputStream(file)) {
            ClassFile classes = ClassFile.of(
                    ClassFile.StackMapsOption.GENERATE_STACK_MAPS,
                    ClassFile.ClassHierarchyResolverOption.of(ClassHierarchyResolver.ofResourceParsing(loader)));
            for (ZipEntry entry : Collections.list(from.entries())) {
                byte[] bytes = from.getInputStream(entry).readAllBytes();
                if (entry.getName().endsWith(".class")) {
                    ClassModel old = classes.parse(bytes);
                    if (old.majorVersion() < FIRST) {
                        bytes = classes.transformClass(old, newer());
                        changed++;
                    }
                }
                ZipEntry copied = new ZipEntry(entry.getName());
                copied.setTime(entry.getTime());
                out.putNextEntry(copied);
                out.write(bytes);
                out.closeEntry();
            }
        }
        return changed;
    }

    private static ClassTransform newer() {
        ClassTransform version = (builder, element) -> {
            if (element instanceof ClassFileVersion) {
                builder.withVersion(FIRST, 0);
            } else {
                builder.with(element);
            }
        };
        return ClassTransform.transformingMethodBodies(CodeTransform.ACCEPT_ALL).andThen(version);
    }
}
