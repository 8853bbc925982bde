package dev.tiller.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.classfile.Attributes;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.MethodModel;
import java.lang.constant.MethodTypeDesc;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * A method that takes or gives vectors costs nothing where it is inlined; where it is not, the compiler puts every vector
 * of the caller's loop on the heap, about ten times slower. A method of up to 35 bytes is always inlined (HotSpot's
 * MaxInlineSize); a longer one only where the caller's profile says that the call is frequent, which a kernel compiled
 * early has no profile to say. So the longer ones are named in the compile options of the program.
 */
class VectorHelpersTest {
    private static final int ALWAYS_INLINED = 35;
    private static final Path CLASSES = Path.of("target/classes/dev/tiller/kernels/cpu");
    private static final Path OPTIONS = Path.of("src/main/jvm/kernels.compile");

    @Test
    void everyMethodOfVectorsIsSmallOrNamedForInlining() throws IOException {
        List<String> tooLong = new ArrayList<>();
        int seen = 0;
        Set<String> named = named();
        for (ClassModel type : classes()) {
            for (MethodModel method : type.methods()) {
                if (!ofVectors(method.methodTypeSymbol())) {
                    continue;
                }
                seen++;
                String owner = type.thisClass().asInternalName().replace('/', '.');
                String name = owner + "::" + method.methodName().stringValue();
                if (size(method) > ALWAYS_INLINED && !named.contains(name) && !named.contains(owner + "::*")) {
                    tooLong.add(name + " " + size(method));
                }
            }
        }
        assertTrue(seen > 10, "methods of vectors: " + seen);
        assertEquals(List.of(), tooLong);
    }

    /** Sums stand in kernels that are compiled before they have a profile, and other programs run without our options. */
    @Test
    void sumsAreSmallInAllTheirParts() throws IOException {
        List<String> tooLong = new ArrayList<>();
        for (ClassModel type : classes()) {
            if (type.thisClass().asInternalName().endsWith("/Lanes")) {
                type.methods().stream()
                        .filter(m -> ofVectors(m.methodTypeSymbol()) && size(m) > ALWAYS_INLINED)
                        .forEach(m -> tooLong.add(m.methodName() + " " + size(m)));
            }
        }
        assertEquals(List.of(), tooLong);
    }

    private static List<ClassModel> classes() throws IOException {
        try (Stream<Path> files = Files.list(CLASSES)) {
            List<ClassModel> models = new ArrayList<>();
            for (Path file :
                    files.filter(f -> f.toString().endsWith(".class")).sorted().toList()) {
                models.add(ClassFile.of().parse(file));
            }
            return models;
        }
    }

    private static Set<String> named() throws IOException {
        return Files.readAllLines(OPTIONS).stream()
                .filter(line -> line.startsWith("inline,"))
                .map(line -> line.substring("inline,".length()))
                .collect(Collectors.toSet());
    }

    private static boolean ofVectors(MethodTypeDesc type) {
        return Stream.concat(Stream.of(type.returnType()), type.parameterList().stream())
                .anyMatch(t -> t.packageName().equals("jdk.incubator.vector")
                        && t.displayName().matches(".*(Vector|VectorMask|VectorShuffle)"));
    }

    private static int size(MethodModel method) {
        return method.findAttribute(Attributes.code()).orElseThrow().codeLength();
    }
}
