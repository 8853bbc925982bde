package dev.tiller.persona.vectors;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.engine.Edit;
import dev.tiller.engine.LoadOptions;
import dev.tiller.engine.Model;
import dev.tiller.engine.Site;
import dev.tiller.engine.Span;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.engine.SteeringVector;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.VectorContent;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class VectorVerificationTest {
    private static final int[] IDS = {3, 1, 4, 1, 5, 9};

    private static Model model;

    @BeforeAll
    static void load() {
        model = Model.load(SharedFiles.repository("models/microworld"), LoadOptions.DEFAULT);
    }

    @AfterAll
    static void close() {
        model.close();
    }

    private static VectorContent vector(Site site, String op, int rows, int... blocks) {
        Random random = new Random(8);
        TreeMap<Integer, float[][]> map = new TreeMap<>();
        for (int b : blocks) {
            float[][] v = new float[rows][model.spec().width()];
            for (float[] row : v) {
                for (int i = 0; i < row.length; i++) {
                    row[i] = (float) random.nextGaussian();
                }
            }
            map.put(b, v);
        }
        return new VectorContent(op, site, map, Map.of(), Map.of());
    }

    @ParameterizedTest
    @EnumSource(Site.class)
    void everySiteRespondsAtItsPlace(Site site) {
        int last = model.spec().blocks() - 1;
        for (VectorVerification.Line line : VectorVerification.run(model, vector(site, "add", 1, 0, 3, last), IDS)) {
            assertNull(line.problem(), line.text(site));
            assertEquals(line.block() + 1, line.first());
            if (site == Site.RESID_POST) {
                assertTrue(line.error() < 1e-5, line.text(site));
                assertEquals(1, line.projection(), 1e-4);
            }
        }
    }

    @Test
    void severalDirectionsAndAblation() {
        for (VectorVerification.Line line :
                VectorVerification.run(model, vector(Site.RESID_POST, "ablate", 2, 1, 2), IDS)) {
            assertNull(line.problem(), line.text(Site.RESID_POST));
        }
    }

    /** What a loader that is one block off would do, and one with the sign the wrong way round. */
    @Test
    void whatActsElsewhereIsFound() {
        VectorContent v = vector(Site.RESID_POST, "add", 1, 2, 4);
        for (int off : new int[] {-1, 1}) {
            List<VectorVerification.Line> lines = VectorVerification.run(
                    model, v, IDS, e -> elsewhere(e, e.blocks().getFirst() + off, 1));
            assertEquals(2, lines.size());
            for (VectorVerification.Line line : lines) {
                assertEquals(line.block() + 1 + off, line.first());
                assertTrue(line.problem().contains("MISMATCH"), line.text(v.site()));
            }
        }
        for (VectorVerification.Line line : VectorVerification.run(
                model, v, IDS, e -> elsewhere(e, e.blocks().getFirst(), -1))) {
            assertTrue(line.problem().contains("something else"), line.text(v.site()));
            assertEquals(-1, line.projection(), 1e-4);
        }
        for (VectorVerification.Line line : VectorVerification.run(model, v, IDS, e -> SteeringPlan.NONE)) {
            assertTrue(line.problem().contains("nothing responds"), line.text(v.site()));
        }
        VectorContent ablate = vector(Site.RESID_POST, "ablate", 1, 2);
        for (VectorVerification.Line line : VectorVerification.run(
                model, ablate, IDS, e -> e.op().key().equals("ablate") ? SteeringPlan.NONE : SteeringPlan.of(e))) {
            assertTrue(line.problem().contains("ablation"), line.text(v.site()));
        }
    }

    private static SteeringPlan elsewhere(Edit edit, int block, float sign) {
        float[] direction = edit.vector().perBlock().values().iterator().next();
        SteeringVector moved = SteeringVector.residPost("moved", Map.of(block, direction));
        return SteeringPlan.of(Edit.add(moved, sign * edit.coefficient(), block).over(Span.ALL));
    }

    @Test
    void blocksThatTheModelDoesNotHave() {
        int n = model.spec().blocks();
        List<VectorVerification.Line> lines =
                VectorVerification.run(model, vector(Site.RESID_POST, "add", 1, 1, n), IDS);
        assertNull(lines.get(0).problem());
        assertTrue(
                lines.get(1).problem().contains("blocks 0.." + (n - 1)),
                lines.get(1).problem());
        VectorContent narrow = new VectorContent(
                "add", Site.RESID_POST, new TreeMap<>(Map.of(0, new float[][] {{1, 2}})), Map.of(), Map.of());
        assertThrows(TillerException.class, () -> VectorVerification.run(model, narrow, IDS));
    }
}
