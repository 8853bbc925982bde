package dev.tiller.loader;

import java.util.Map;
import java.util.TreeMap;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.TestExecutionResult.Status;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;

/**
 * Prints, at the end of a module's tests, how many were skipped and why: a test that did not run must not look like one
 * that passed. JUnit finds it by {@code META-INF/services}; every module has it through the test jar of this one.
 */
public final class SkipReasons implements TestExecutionListener {
    private final Map<String, Long> counts = new TreeMap<>();
    private TestPlan plan;

    @Override
    public synchronized void testPlanExecutionStarted(TestPlan started) {
        plan = started;
        counts.clear();
    }

    @Override
    public synchronized void executionSkipped(TestIdentifier test, String reason) {
        count(test, reason);
    }

    @Override
    public synchronized void executionFinished(TestIdentifier test, TestExecutionResult result) {
        if (result.getStatus() == Status.ABORTED) {
            count(test, result.getThrowable().map(Throwable::getMessage).orElse("no reason given"));
        }
    }

    /** A class that is skipped as a whole counts with each of its tests that are known. */
    private void count(TestIdentifier test, String reason) {
        long tests = test.isTest()
                ? 1
                : plan.getDescendants(test).stream()
                        .filter(TestIdentifier::isTest)
                        .count();
        counts.merge(reason, Math.max(1, tests), Long::sum);
    }

    @Override
    public synchronized void testPlanExecutionFinished(TestPlan finished) {
        counts.forEach((reason, n) -> System.out.println("SKIPPED " + n + ": " + reason));
    }
}
