package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.kernels.EditTable;
import dev.tiller.loader.TillerException;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class CompiledPlanTest {
    private static final int BLOCKS = 4;
    private static final int WIDTH = 6;

    private static float[] random(long seed) {
        SplittableRandom r = new SplittableRandom(seed);
        float[] v = new float[WIDTH];
        for (int i = 0; i < WIDTH; i++) {
            v[i] = (float) r.nextDouble(-1, 1);
        }
        return v;
    }

    private static CompiledPlan compile(Edit... edits) {
        return CompiledPlan.compile(SteeringPlan.of(edits), BLOCKS, WIDTH, 100, () -> "model");
    }

    private static String refused(Edit... edits) {
        return assertThrows(TillerException.class, () -> compile(edits)).getMessage();
    }

    @Test
    void orderAtOneSiteIsAblateAddClamp() {
        SteeringVector v = SteeringVector.uniform("v", random(1));
        List<CompiledPlan.Item> items = compile(Edit.clamp(v, 0, 1, 2), Edit.add(v, 2, 2), Edit.ablate(v, 2))
                .items(CompiledPlan.point(Site.RESID_POST, 2));
        assertEquals(
                List.of(EditTable.Kind.ABLATE, EditTable.Kind.ADD, EditTable.Kind.CLAMP),
                items.stream().map(CompiledPlan.Item::kind).toList());
        assertEquals(1, Vectors.norm(items.getFirst().direction()), 1e-6);
        assertTrue(v.uniform() == items.get(1).direction(), "ADD keeps the stored vector");
    }

    private static List<EditTable.Kind> kinds(CompiledPlan plan, Site site, int block) {
        return plan.items(CompiledPlan.point(site, block)).stream()
                .map(CompiledPlan.Item::kind)
                .toList();
    }

    /** A probe comes first at its point; a gate surrounds the norm that is kept, which surrounds the edit. */
    @Test
    void whatBelongsToAnEditSurroundsIt() {
        SteeringVector v = SteeringVector.uniform("v", random(1));
        SteeringVector w = SteeringVector.uniform("w", random(2));
        Condition when = new Condition(w, Site.RESID_MID, 1, 0.5f, true, Condition.Measure.TOKEN);
        Edit gated =
                Edit.clamp(v, 0, 1, 1, 2).preservingNorm().with().when(when).build();
        CompiledPlan plan = compile(
                gated, Edit.add(v, 1, 2).with().when(when).build(), Edit.rotate(v, w, 10, 2), Edit.add(w, 1, 1));
        assertEquals(1, plan.gates());
        assertEquals(List.of(EditTable.Kind.PROBE), kinds(plan, Site.RESID_MID, 1));
        assertEquals(
                List.of(
                        EditTable.Kind.ADD,
                        EditTable.Kind.WHEN,
                        EditTable.Kind.KEEP_NORM,
                        EditTable.Kind.CLAMP,
                        EditTable.Kind.RESTORE_NORM,
                        EditTable.Kind.ALWAYS),
                kinds(plan, Site.RESID_POST, 1));
        assertEquals(
                List.of(
                        EditTable.Kind.WHEN,
                        EditTable.Kind.ADD,
                        EditTable.Kind.ALWAYS,
                        EditTable.Kind.ROTATE,
                        EditTable.Kind.WHEN,
                        EditTable.Kind.KEEP_NORM,
                        EditTable.Kind.CLAMP,
                        EditTable.Kind.RESTORE_NORM,
                        EditTable.Kind.ALWAYS),
                kinds(plan, Site.RESID_POST, 2));
    }

    @Test
    void whatHasNoMeaningIsRefused() {
        SteeringVector v = SteeringVector.uniform("v", random(1));
        SteeringVector w = SteeringVector.uniform("w", random(2));
        SteeringVector parallel = SteeringVector.uniform("parallel", scaled(v.uniform(), -3));
        String plane = refused(Edit.rotate(v, parallel, 10, 1));
        assertTrue(plane.contains("parallel at resid_post of block 1 (cosine -1"), plane);
        assertTrue(refused(Edit.rotate(v, SteeringVector.uniform("s", new float[5]), 10, 1))
                .contains("width 5"));
        assertTrue(refused(Edit.replaceMean(v, SteeringVector.uniform("mean", new float[5]), 1))
                .contains("reference \"mean\": width 5"));
        assertTrue(refused(Edit.replaceMean(v, 1, 1), Edit.replaceMean(parallel, 1, 1))
                .contains("another projection"));
        compile(Edit.replaceMean(v, 1, 1), Edit.replaceMean(parallel, -1, 1)); // the same said twice
        assertTrue(refused(Edit.replaceMean(v, 1, 1), Edit.ablate(w, 1).preservingNorm())
                .contains("preserve_norm"));
        String stored = refused(Edit.of(Op.REPLACE_MEAN, v).blocks(List.of(1)).build());
        assertTrue(stored.contains("stores none for block 1") && stored.contains("\"value\""), stored);
        for (Site site : List.of(Site.RESID_MID, Site.RESID_POST)) {
            Condition late = new Condition(w, site, 1, 0, true, Condition.Measure.TOKEN);
            Edit edit = Edit.add(v, 1, 1).with().when(late).build();
            String order = refused(edit.at(site == Site.RESID_MID ? Site.ATTN_WRITE : Site.MLP_WRITE));
            assertTrue(order.contains("comes after the edit"), order);
            compile(edit.at(site));
        }
        assertThrows(
                TillerException.class,
                () -> Edit.of(Op.SET, v).blocks(List.of(1)).build());
        assertThrows(
                TillerException.class,
                () -> Edit.of(Op.CLAMP, v).blocks(List.of(1)).build());
        assertThrows(TillerException.class, () -> Edit.set(v, Float.POSITIVE_INFINITY, 1));
        assertThrows(TillerException.class, () -> Edit.rotate(v, null, 10, 1));
        assertThrows(TillerException.class, () -> Edit.rotate(v, w, Float.NaN, 1));
        assertThrows(
                TillerException.class,
                () -> Edit.replaceMean(v, 1, 1).with().reference(w).build());
        assertThrows(
                TillerException.class, () -> Edit.add(v, 1, 1).with().second(w).build());
    }

    /** Without a value or reference, replace_mean restores what the vector's calibration says of the block. */
    @Test
    void restoredProjectionsComeFromTheCalibration() {
        SteeringVector v = SteeringVector.uniform("v", random(1))
                .with(Map.of(2, new Calibration(3, -1.5, 1, new java.util.TreeMap<>())));
        CompiledPlan plan =
                compile(Edit.of(Op.REPLACE_MEAN, v).blocks(List.of(2)).build());
        CompiledPlan.Item item =
                plan.items(CompiledPlan.point(Site.RESID_POST, 2)).getFirst();
        assertEquals(EditTable.Kind.CLAMP, item.kind());
        assertEquals(-1.5f, item.low());
        assertEquals(-1.5f, item.high());
    }

    @Test
    void idleEditsLeaveNothing() {
        SteeringVector v = SteeringVector.uniform("v", random(1));
        assertTrue(compile(Edit.add(v, 0, 1)).isEmpty());
    }

    @Test
    void ablatedDirectionsAreOrthonormalWhateverTheirOrder() {
        for (long seed = 1; seed <= 5; seed++) {
            SteeringVector a = SteeringVector.uniform("a", random(seed));
            SteeringVector b = SteeringVector.uniform("b", random(seed + 100));
            SteeringVector c = SteeringVector.uniform("c", scaled(a.uniform(), 3));
            float[] h = random(seed + 200);
            float[] one = apply(compile(Edit.ablate(a, 0), Edit.ablate(b, 0), Edit.ablate(c, 0)), h);
            float[] two = apply(compile(Edit.ablate(c, 0), Edit.ablate(b, 0)), h);
            for (int i = 0; i < WIDTH; i++) {
                assertEquals(one[i], two[i], 1e-5, "seed " + seed);
            }
            assertEquals(0, Vectors.dot(one, a.uniform()), 1e-5, "seed " + seed);
            assertEquals(0, Vectors.dot(one, b.uniform()), 1e-5, "seed " + seed);
        }
    }

    private static float[] scaled(float[] v, float by) {
        float[] out = v.clone();
        for (int i = 0; i < out.length; i++) {
            out[i] *= by;
        }
        return out;
    }

    private static float[] apply(CompiledPlan plan, float[] h) {
        float[] out = h.clone();
        for (CompiledPlan.Item item : plan.items(CompiledPlan.point(Site.RESID_POST, 0))) {
            double p = Vectors.dot(out, item.direction());
            for (int i = 0; i < out.length; i++) {
                out[i] -= (float) (p * item.direction()[i]);
            }
        }
        return out;
    }

    @Test
    void refusals() {
        SteeringVector v = SteeringVector.uniform("v", random(1));
        assertTrue(refused(Edit.add(v, 1, 4)).contains("blocks 0..3"));
        assertTrue(refused(Edit.add(v, 1, -1)).contains("out of range"));
        String width = refused(Edit.add(SteeringVector.uniform("w", new float[5]), 1, 0));
        assertTrue(width.contains("width 5") && width.contains("width 6"), width);
        assertTrue(refused(Edit.ablate(SteeringVector.uniform("zero", new float[WIDTH]), 0))
                .contains("zero"));
        SteeringVector perBlock = SteeringVector.residPost("p", Map.of(1, random(1)));
        assertTrue(refused(Edit.add(perBlock, 1, 2)).contains("it has blocks [1]"));
        assertTrue(refused(Edit.add(perBlock, 1, 1).at(Site.RESID_MID)).contains("resid_mid"));
        SteeringVector foreign = new SteeringVector("f", null, Site.RESID_POST, Map.of(1, random(1)), "other");
        assertTrue(refused(Edit.add(foreign, 1, 1)).contains("another model"));
        assertTrue(refused(
                        Edit.ablate(v, 0),
                        Edit.ablate(SteeringVector.uniform("w", random(2)), 0).over(Span.ALL))
                .contains("different strengths or spans"));
    }

    @Test
    void whatCannotActIsRefused() {
        SteeringVector v = SteeringVector.uniform("v", random(1));
        assertTrue(refused(Edit.add(SteeringVector.uniform("nan", new float[] {1, 2, 3, 4, 5, Float.NaN}), 1, 0))
                .contains("NaN"));
        assertTrue(refused(Edit.add(SteeringVector.uniform("zero", new float[WIDTH]), 1, 0))
                .contains("norm"));
        assertTrue(refused(Edit.add(v, 1, 0).over(new Span.Range(100, 200))).contains("context"));
        assertThrows(TillerException.class, () -> Edit.add(v, 50));
        assertThrows(TillerException.class, () -> Edit.add(v, Float.NaN, 1));
        assertThrows(TillerException.class, () -> Edit.clamp(v, 2, 1, 0));
        assertThrows(TillerException.class, () -> Edit.add(v, 1, 0).at());
        assertThrows(
                TillerException.class, () -> Edit.ablate(v).with().strength(7).build());
    }

    @Test
    void vectorsKeepTheirOwnNumbers() {
        float[] given = random(1);
        SteeringVector v = SteeringVector.uniform("v", given);
        float before = given[0];
        given[0] = 100;
        assertEquals(before, v.uniform()[0]);
    }

    @Test
    void spansBecomeMasks() {
        SteeringVector v = SteeringVector.uniform("v", random(1));
        CompiledPlan plan = compile(Edit.add(v, 1, 0), Edit.add(v, 1, 1).over(Span.PROMPT));
        assertEquals(0b10, Treatment.of(plan, 5).mask(3));
        assertEquals(0b11, Treatment.of(plan, 5).mask(4)); // the last prompt token belongs to both
        assertEquals(0b01, Treatment.of(plan, 5).mask(5));
    }
}
