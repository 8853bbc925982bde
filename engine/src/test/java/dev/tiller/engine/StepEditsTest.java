package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.EditTable;
import dev.tiller.loader.SharedFiles;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What the tables of steps cost and when they are made anew. */
class StepEditsTest {
    private static Model model;

    @BeforeAll
    static void load() {
        model = Model.load(SharedFiles.repository("models/microworld"), LoadOptions.DEFAULT.withBackend("scalar"));
    }

    @AfterAll
    static void close() {
        model.close();
    }

    /** The model's backend; floats written are counted. */
    private static Backend counting(long[] written) {
        return (Backend) Proxy.newProxyInstance(
                Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, (proxy, method, args) -> {
                    if (method.getName().equals("write")) {
                        written[0] += ((float[]) args[0]).length;
                    }
                    try {
                        return method.invoke(model.backend(), args);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private static Edit edit(int i) {
        return Edit.add(GeneratorTest.random(model, i, 1), 0.5f + i, 2);
    }

    private static Step step(List<Sequence> sequences) {
        Step step = model.newStep();
        sequences.forEach(s -> step.add(s, new int[] {5}, 0, 1, Step.Logits.LAST));
        return step;
    }

    /** Plans come one by one, as texts join: what is written grows with their number, not with its square. */
    @Test
    void plansThatJoinCostWhatTheyAre() {
        int d = model.spec().width();
        long[] written = {0};
        StepEdits edits = new StepEdits(counting(written), model.spec().blocks(), d);
        List<Sequence> sequences = new ArrayList<>();
        int n = 256;
        for (int i = 0; i < n; i++) {
            sequences.add(model.newSequence(SteeringPlan.of(edit(i)), 1));
            edits.prepare(step(sequences));
            assertEquals(i + 1, edits.at(Site.RESID_POST, 2).edit().length);
        }
        assertTrue(written[0] >= (long) n * d && written[0] <= 4L * n * d, written[0] + " floats for " + n * d);
        long before = written[0];
        edits.prepare(step(sequences));
        assertEquals(before, written[0]);
        sequences.forEach(Sequence::close);
    }

    /** Rows have as many entries under plans of their own as under one for all; equal directions are stored once. */
    @Test
    void manyPlansGiveTheTableOfOne() {
        int n = 256;
        List<Sequence> one = new ArrayList<>();
        List<Sequence> each = new ArrayList<>();
        List<Sequence> scaled = new ArrayList<>();
        SteeringVector v = GeneratorTest.random(model, 3, 1);
        for (int i = 0; i < n; i++) {
            one.add(model.newSequence(SteeringPlan.of(edit(7)), 1));
            each.add(model.newSequence(SteeringPlan.of(edit(i)), 1));
            scaled.add(model.newSequence(SteeringPlan.of(Edit.add(v, 1 + i, 2)), 1));
        }
        EditTable a = table(one);
        EditTable b = table(each);
        EditTable c = table(scaled);
        assertArrayEquals(a.rowStart(), b.rowStart());
        assertEquals(n, b.edit().length);
        assertEquals(1, a.directions().rows());
        assertEquals(n, b.directions().rows());
        assertEquals(1, c.directions().rows());
        for (int i = 0; i < n; i++) {
            assertEquals(1f + i, c.coefficient()[i]);
        }
    }

    private static EditTable table(List<Sequence> sequences) {
        StepEdits edits = new StepEdits(
                model.backend(), model.spec().blocks(), model.spec().width());
        edits.prepare(step(sequences));
        sequences.forEach(Sequence::close);
        return edits.at(Site.RESID_POST, 2);
    }

    /** While nothing changes the table stays the same object; a schedule replaces numbers, in the arrays that are there. */
    @Test
    void steadyStepsKeepTheirTables() {
        Edit fades = edit(1).with().schedule(new Schedule.Decay(0.5f)).build();
        for (boolean scheduled : new boolean[] {false, true}) {
            StepEdits edits = new StepEdits(
                    model.backend(), model.spec().blocks(), model.spec().width());
            Sequence s = model.newSequence(SteeringPlan.of(scheduled ? fades : edit(1)), 1);
            edits.prepare(step(List.of(s)));
            EditTable first = edits.at(Site.RESID_POST, 2);
            for (int k = 1; k < 4; k++) {
                edits.prepare(step(List.of(s)));
                EditTable next = edits.at(Site.RESID_POST, 2);
                if (scheduled) {
                    assertNotSame(first, next, "a backend that keeps a table's numbers must see another one");
                    assertSame(first.coefficient(), next.coefficient());
                    assertEquals(1.5f * (float) Math.pow(0.5, k), next.coefficient()[0]);
                } else {
                    assertSame(first, next);
                }
            }
            s.close();
        }
    }

    /** More plans than are kept: those under way stay, whatever else is forgotten. */
    @Test
    void forgottenPlansComeBack() {
        StepEdits edits = new StepEdits(
                model.backend(), model.spec().blocks(), model.spec().width());
        Sequence stays = model.newSequence(SteeringPlan.of(edit(0)), 1);
        for (int i = 1; i < 1200; i++) {
            Sequence other = model.newSequence(SteeringPlan.of(Edit.add(GeneratorTest.random(model, i, 1), i, 2)), 1);
            Step step = model.newStep();
            if (i < 1000) {
                step.add(stays, new int[] {5}, 0, 1, Step.Logits.LAST);
            }
            step.add(other, new int[] {5}, 0, 1, Step.Logits.LAST);
            edits.prepare(step);
            EditTable t = edits.at(Site.RESID_POST, 2);
            assertEquals(i < 1000 ? 2 : 1, t.edit().length);
            assertEquals(i, t.coefficient()[t.edit().length - 1]);
            if (i < 1000) {
                assertEquals(0.5f, t.coefficient()[0]);
            }
            other.close();
        }
        stays.close();
    }
}
