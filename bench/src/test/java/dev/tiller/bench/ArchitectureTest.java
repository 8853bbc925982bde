package dev.tiller.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchRule;
import dev.tiller.loader.SharedFiles;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/**
 * The modules' arrows and the homes of special libraries. Each rule runs twice: on the product, which must keep it, and
 * on a small planted house below {@code dev.tiller.bench.planted}, where it must report exactly the planted breach.
 */
class ArchitectureTest {
    private static final ArchitectureRules HOUSE = new ArchitectureRules("dev.tiller");
    private static final ArchitectureRules PLANTED = new ArchitectureRules("dev.tiller.bench.planted");
    private static final JavaClasses PRODUCT = new ClassFileImporter()
            .withImportOption(location -> !location.contains("/test-classes/") && !location.contains("-tests.jar"))
            .importPackages("dev.tiller");
    private static final JavaClasses FIXTURES = new ClassFileImporter().importPackages("dev.tiller.bench.planted");

    @Test
    void everyModuleIsSeenAndNoTestClass() {
        Set<String> modules = PRODUCT.stream()
                .map(c -> c.getPackageName().split("\\.")[2])
                .collect(Collectors.toCollection(TreeSet::new));
        assertEquals(new TreeSet<>(ArchitectureRules.MODULES), modules);
        Set<String> names = PRODUCT.stream().map(JavaClass::getName).collect(Collectors.toSet());
        assertTrue(names.stream().noneMatch(n -> n.contains(".planted.")));
        assertFalse(names.contains(ArchitectureTest.class.getName()) || names.contains(SharedFiles.class.getName()));
    }

    @Test
    void arrowsRunOneWay() {
        HOUSE.arrows().forEach(rule -> rule.check(PRODUCT));
    }

    @Test
    void vectorApiStaysInItsPackage() {
        HOUSE.vectorApi().check(PRODUCT);
    }

    @Test
    void cudaStaysInItsPackage() {
        HOUSE.cuda().check(PRODUCT);
    }

    @Test
    void packagesHaveNoCycles() {
        HOUSE.noCycles().check(PRODUCT);
    }

    @Test
    void arrowRulesReportTheirBreaches() {
        List<ArchRule> arrows = PLANTED.arrows();
        assertReports(arrows.get(0), "planted.loader.UsesPersona", "planted.persona.Harmless");
        assertReports(arrows.get(1), "planted.kernels.UsesEngine", "planted.engine.Harmless");
        assertReports(arrows.get(2), "planted.engine.UsesPersona", "planted.persona.Harmless");
        assertReports(arrows.get(3), "planted.persona.UsesBench", "planted.bench.Harmless");
        assertEquals(4, arrows.size());
    }

    @Test
    void vectorApiRuleReportsItsBreach() {
        assertReports(PLANTED.vectorApi(), "planted.kernels.scalar.UsesVectors", "jdk.incubator.vector");
    }

    @Test
    void cudaRuleReportsItsBreach() {
        assertReports(PLANTED.cuda(), "planted.kernels.cpu.UsesCuda", "jcuda.StandIn");
    }

    @Test
    void cycleRuleReportsItsBreach() {
        assertReports(
                PLANTED.noCycles(), "planted.loader.tokenizer.UsesTemplate", "planted.loader.template.UsesTokenizer");
    }

    private static void assertReports(ArchRule rule, String... parts) {
        List<String> details = rule.evaluate(FIXTURES).getFailureReport().getDetails();
        String report = String.join("\n", details);
        assertEquals(1, details.size(), () -> "expected one breach, found: " + report);
        for (String part : parts) {
            assertTrue(report.contains(part), () -> part + " is not in: " + report);
        }
    }
}
