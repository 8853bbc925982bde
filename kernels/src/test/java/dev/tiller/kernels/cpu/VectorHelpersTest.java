package dev.tiller.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.CodeModel;
import java.lang.classfile.MethodModel;
import java.lang.classfile.attribute.CodeAttribute;
import java.lang.classfile.instruction.InvokeInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Vectors must stay in registers: a method that takes or gives one costs nothing where it is inlined, but where it is not,
 * the compiler puts every vector of the caller's loop on the heap, about ten times slower. HotSpot refuses for many reasons,
 * some of which are chance: the method has more than 35 bytes and the caller, compiled early, has no profile; the call had
 * not been reached yet; the caller has grown to 18,000 nodes. So the compile options of the program name all such methods
 * for inlining, and make each kernel, a method that works on vectors and takes none, a compilation of its own. Other
 * programs run without our options; for them sums, which stand in most kernels, are short in all their parts.
 */
class VectorHelpersTest {
    private static final int ALWAYS_INLINED = 35;
    private static final String PACKAGE = "dev.tiller.kernels.cpu.";
    private static final Path CLASSES = Path.of("target/classes/dev/tiller/kernels/cpu");
    private static final Path OPTIONS = Path.of("src/main/jvm/kernels.compile");

    /** A line of the options: what is said of which methods. */
    private record Option(String line, String said, Pattern methods) {
        static Option of(String line) {
            String[] parts = line.split(",");
            String pattern = parts[1].replace(".", "\\.").replace("$", "\\$").replace("*", ".*");
            return new Option(line, parts[0], Pattern.compile(pattern));
        }
    }

    private record Method(String name, MethodTypeDesc type, CodeAttribute code) {
        boolean takesOrGivesVectors() {
            return Stream.concat(Stream.of(type.returnType()), type.parameterList().stream())
                    .anyMatch(VectorHelpersTest::isVector);
        }

        boolean worksOnVectors() {
            return ((CodeModel) code)
                    .elementStream()
                    .anyMatch(e -> e instanceof InvokeInstruction call
                            && (isVector(call.owner().asSymbol())
                                    || isVector(call.typeSymbol().returnType())));
        }
    }

    private static List<Method> methods;
    private static List<Option> options;

    @BeforeAll
    static void read() throws IOException {
        methods = new ArrayList<>();
        try (Stream<Path> files = Files.list(CLASSES)) {
            for (Path file : files.filter(f -> f.toString().endsWith(".class")).toList()) {
                ClassModel type = ClassFile.of().parse(file);
                String owner = type.thisClass().asInternalName().replace('/', '.');
                for (MethodModel m : type.methods()) {
                    String name = owner + "::" + m.methodName().stringValue();
                    m.code().ifPresent(c -> methods.add(new Method(name, m.methodTypeSymbol(), (CodeAttribute) c)));
                }
            }
        }
        options = Files.readAllLines(OPTIONS).stream()
                .filter(line -> !line.startsWith("#") && !line.equals("quiet"))
                .map(Option::of)
                .toList();
    }

    @Test
    void whatTakesOrGivesVectorsIsNamedForInlining() {
        List<Method> helpers =
                methods.stream().filter(Method::takesOrGivesVectors).toList();
        assertTrue(helpers.size() > 10, "found " + helpers.size());
        assertEquals(List.of(), without("inline", helpers));
        assertEquals(helpers.size(), without("dontinline", helpers).size());
    }

    @Test
    void everyKernelIsNamedToBeCompiledByItself() {
        List<Method> kernels = methods.stream()
                .filter(m -> m.worksOnVectors() && !m.takesOrGivesVectors() && !m.name.endsWith("::<clinit>"))
                .toList();
        assertTrue(kernels.size() > 40, "found " + kernels.size());
        assertEquals(List.of(), without("dontinline", kernels));
        List<Method> ofSteps = kernels.stream()
                .filter(m -> !m.name.startsWith(PACKAGE + "Ceilings"))
                .toList();
        assertEquals(List.of(), without("CompileThresholdScaling", ofSteps));
    }

    /** An option that names what there is no more is of no use to anybody. */
    @Test
    void everyOptionIsAboutSomeMethod() {
        List<String> useless = options.stream()
                .filter(o -> methods.stream()
                        .noneMatch(m -> o.methods.matcher(m.name).matches()))
                .map(Option::line)
                .toList();
        assertEquals(List.of(), useless);
    }

    @Test
    void sumsAreShortInAllTheirParts() {
        List<String> tooLong = methods.stream()
                .filter(m -> m.name.startsWith(PACKAGE + "Lanes::") && m.takesOrGivesVectors())
                .filter(m -> m.code.codeLength() > ALWAYS_INLINED)
                .map(Method::name)
                .toList();
        assertEquals(List.of(), tooLong);
    }

    /** Names of those of which no option says that. */
    private static List<String> without(String said, List<Method> of) {
        return of.stream()
                .filter(m -> options.stream()
                        .noneMatch(o ->
                                o.said.equals(said) && o.methods.matcher(m.name).matches()))
                .map(Method::name)
                .toList();
    }

    private static boolean isVector(ClassDesc type) {
        return type.packageName().equals("jdk.incubator.vector")
                && type.displayName().matches(".*(Vector|VectorMask|VectorShuffle)");
    }
}
