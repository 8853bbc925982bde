package dev.tiller.bench;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/**
 * Runs test classes where there is no Maven: {@code RunTests CLASS...}. Exit status 0 if all that ran passed, 1 if a test
 * failed, 77 if none ran.
 */
final class RunTests {
    private static final int NONE_RAN = 77;

    private RunTests() {}

    public static void main(String[] args) {
        PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
        System.exit(run(List.of(args), out, LauncherFactory.create()));
    }

    static int run(List<String> classes, PrintWriter out, Launcher launcher) {
        LauncherDiscoveryRequest request = LauncherDiscoveryRequestBuilder.request()
                .selectors(classes.stream().map(name -> selectClass(name)).toList())
                .build();
        SummaryGeneratingListener listener = new SummaryGeneratingListener();
        launcher.execute(request, listener);
        TestExecutionSummary summary = listener.getSummary();
        for (TestExecutionSummary.Failure failure : summary.getFailures()) {
            out.println("FAILED " + failure.getTestIdentifier().getDisplayName());
            out.println("    " + failure.getException());
            Arrays.stream(failure.getException().getStackTrace())
                    .filter(e -> e.getClassName().startsWith("dev.tiller"))
                    .limit(6)
                    .forEach(e -> out.println("        at " + e));
        }
        long ran = summary.getTestsSucceededCount() + summary.getTestsFailedCount();
        long skipped = summary.getTestsSkippedCount() + summary.getTestsAbortedCount();
        out.println(ran + " tests ran, " + summary.getTestsFailedCount() + " failed, " + skipped + " skipped");
        boolean failed = summary.getTotalFailureCount() > 0; // containers count: a class that cannot be set up
        return failed ? 1 : ran == 0 ? NONE_RAN : 0;
    }
}
