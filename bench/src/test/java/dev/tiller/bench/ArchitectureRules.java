package dev.tiller.bench;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.lang.ArchRule;
import java.util.ArrayList;
import java.util.List;

/** The rules of the house, for the modules below a root package. */
record ArchitectureRules(String root) {
    /** From the bytes of files to what a user holds in hand; a module may use only those before it. */
    static final List<String> MODULES = List.of("loader", "kernels", "engine", "persona", "bench");

    /** One rule per module: nothing in it depends on a module after it. */
    List<ArchRule> arrows() {
        List<ArchRule> rules = new ArrayList<>();
        for (int i = 0; i + 1 < MODULES.size(); i++) {
            String[] above = MODULES.subList(i + 1, MODULES.size()).stream()
                    .map(this::module)
                    .toArray(String[]::new);
            rules.add(noClasses()
                    .that()
                    .resideInAPackage(module(MODULES.get(i)))
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(above)
                    .because("arrows run bench -> persona -> engine -> kernels -> loader"));
        }
        return rules;
    }

    /** The incubating Vector API changes with every JDK: one package knows it. */
    ArchRule vectorApi() {
        return onlyIn("kernels.cpu", "jdk.incubator.vector..");
    }

    /** JCuda needs native libraries that most machines lack: one package knows it. */
    ArchRule cuda() {
        return onlyIn("kernels.cuda", "jcuda..", "org.jcuda..");
    }

    /** Packages inside one module do not need each other in circles (the module's own root package serves all of them). */
    ArchRule noCycles() {
        return slices().matching(root + ".(*).(*)..").should().beFreeOfCycles();
    }

    private ArchRule onlyIn(String home, String... libraries) {
        return noClasses()
                .that()
                .resideInAPackage(root + "..")
                .and()
                .resideOutsideOfPackage(root + "." + home)
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(libraries)
                .because("only " + root + "." + home + " may");
    }

    private String module(String name) {
        return root + "." + name + "..";
    }
}
