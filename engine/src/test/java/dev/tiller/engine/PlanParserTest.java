package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PlanParserTest {
    private static final VectorResolver VECTORS = reference -> {
        if ("byblock".equals(reference.name())) {
            return SteeringVector.residPost("byblock", Map.of(1, new float[4], 2, new float[4]));
        }
        if (reference.name() != null && !reference.name().equals("v")) {
            throw new TillerException("unknown vector \"" + reference.name() + "\"; known: v");
        }
        return SteeringVector.uniform("v", new float[] {1, 0, 0, 0});
    };

    private static SteeringPlan parse(String json) {
        return SteeringPlan.parse(json, "plan.json", VECTORS);
    }

    @Test
    void defaults() {
        Edit e = parse("{\"edits\":[{\"op\":\"add\",\"vector\":\"v\",\"blocks\":[3]}]}")
                .edits()
                .getFirst();
        assertEquals(Op.ADD, e.op());
        assertEquals(List.of(3), e.blocks());
        assertEquals(List.of(Site.RESID_POST), e.sites());
        assertEquals(1f, e.coefficient());
        assertEquals(1f, e.strength());
        assertEquals(Span.GENERATION, e.span());
    }

    @Test
    void everyKey() {
        Edit e = parse("{\"edits\":[{\"op\":\"clamp\",\"vector\":{\"file\":\"f\",\"tensor\":\"t\"},\"blocks\":\"2..5\","
                        + "\"sites\":[\"resid_mid\",\"mlp_write\"],\"min\":-1,\"max\":2.5,\"strength\":0.5,"
                        + "\"span\":{\"from\":2,\"to\":9},\"preserve_norm\":false}]}")
                .edits()
                .getFirst();
        assertEquals(List.of(2, 3, 4), e.blocks());
        assertEquals(List.of(Site.RESID_MID, Site.MLP_WRITE), e.sites());
        assertEquals(-1f, e.low());
        assertEquals(2.5f, e.high());
        assertEquals(0.5f, e.strength());
        assertEquals(new Span.Range(2, 9), e.span());
    }

    @Test
    void oneSidedClampAndSet() {
        Edit c = parse("{\"edits\":[{\"op\":\"clamp\",\"vector\":\"v\",\"blocks\":\"all\",\"max\":4}]}")
                .edits()
                .getFirst();
        assertEquals(Float.NEGATIVE_INFINITY, c.low());
        assertEquals(null, c.blocks());
        Edit s = parse("{\"edits\":[{\"op\":\"set\",\"vector\":\"v\",\"blocks\":[0],\"value\":2}]}")
                .edits()
                .getFirst();
        assertEquals(2f, s.low());
        assertEquals(2f, s.high());
    }

    @Test
    void turnsAndRestoredMeans() {
        Edit turn = parse(
                        "{\"edits\":[{\"op\":\"rotate\",\"vector\":\"v\",\"second\":{\"file\":\"f\"},\"degrees\":-30.5,"
                                + "\"blocks\":[0],\"preserve_norm\":true}]}")
                .edits()
                .getFirst();
        assertEquals(Op.ROTATE, turn.op());
        assertEquals("v", turn.second().name());
        assertEquals(-30.5f, turn.degrees());
        assertTrue(turn.preserveNorm());
        String mean = "{\"edits\":[{\"op\":\"replace_mean\",\"vector\":\"v\",\"blocks\":[0],\"strength\":0.5%s}]}";
        Edit value = parse(mean.formatted(",\"value\":2")).edits().getFirst();
        assertEquals(2f, value.low());
        assertEquals(0.5f, value.strength());
        assertEquals(null, value.reference());
        Edit reference = parse(mean.formatted(",\"reference\":\"v\"")).edits().getFirst();
        assertEquals("v", reference.reference().name());
        assertTrue(Float.isNaN(parse(mean.formatted("")).edits().getFirst().low()));
    }

    @Test
    void blocksComeFromTheVectorFile() {
        assertEquals(
                List.of(1, 2),
                parse("{\"edits\":[{\"op\":\"add\",\"vector\":\"byblock\"}]}")
                        .edits()
                        .getFirst()
                        .blocks());
    }

    @Test
    void emptyPlan() {
        assertTrue(parse("{\"edits\":[]}").edits().isEmpty());
    }

    /** Each mistake, and a word that the message must hold. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            {}                                                                            | edits
            {"edits":3}                                                                   | edits
            {"edits":[],"x":1}                                                            | "x"
            {"edits":[3]}                                                                 | edits[0]
            {"edits":[{"vector":"v","blocks":[0]}]}                                       | "op"
            {"edits":[{"op":"push","vector":"v","blocks":[0]}]}                           | accepted: add
            {"edits":[{"op":"rotate","vector":"v","blocks":[0]}]}                         | rotate needs "second"
            {"edits":[{"op":"rotate","vector":"v","second":"v","blocks":[0]}]}            | rotate needs "degrees"
            {"edits":[{"op":"rotate","vector":"v","second":"v","degrees":"x","blocks":[0]}]}                              | degrees: expected a number
            {"edits":[{"op":"rotate","vector":"v","second":"w","degrees":3,"blocks":[0]}]}                                | "w"
            {"edits":[{"op":"rotate","vector":"v","second":"v","degrees":3,"strength":1,"blocks":[0]}]}                   | unknown key "strength" for op rotate
            {"edits":[{"op":"add","vector":"v","blocks":[0],"degrees":30}]}               | "degrees" for op add (it is a key of rotate); accepted: at, blocks, coefficient
            {"edits":[{"op":"clamp","vector":"v","blocks":[0],"max":1,"second":"v"}]}     | "second" for op clamp (it is a key of rotate)
            {"edits":[{"op":"ablate","vector":"v","blocks":[0],"reference":"v"}]}         | it is a key of replace_mean
            {"edits":[{"op":"add","vector":"v","blocks":[0],"value":3}]}                  | it is a key of replace_mean, set
            {"edits":[{"op":"replace_mean","vector":"v","blocks":[0],"value":1,"reference":"v"}]}                         | contradict each other
            {"edits":[{"op":"replace_mean","vector":"v","blocks":[0],"reference":3}]}     | reference 3: expected a name, {"file": F}
            {"edits":[{"op":"replace_mean","vector":"v","blocks":[0],"coefficient":3}]}   | coefficient
            {"edits":[{"op":"add","blocks":[0]}]}                                         | "vector"
            {"edits":[{"op":"add","vector":"w","blocks":[0]}]}                            | "w"
            {"edits":[{"op":"add","vector":"v"}]}                                         | "blocks"
            {"edits":[{"op":"add","vector":"v","blocks":[0],"coeficient":2}]}             | coeficient
            {"edits":[{"op":"add","vector":"v","blocks":[0],"strength":1}]}               | strength
            {"edits":[{"op":"ablate","vector":"v","blocks":[0],"coefficient":1}]}         | coefficient
            {"edits":[{"op":"ablate","vector":"v","blocks":[0],"strength":1.5}]}          | 0..1
            {"edits":[{"op":"add","vector":"v","blocks":[0],"coefficient":"2"}]}          | number
            {"edits":[{"op":"add","vector":"v","blocks":[0],"coefficient":{"sigma":1}}]}                                  | {"sd": x}
            {"edits":[{"op":"add","vector":"v","blocks":[0],"coefficient":{"sd":1,"kl":1}}]}                              | {"sd": x}
            {"edits":[{"op":"add","vector":"v","blocks":[0],"coefficient":{"kl":"x"}}]}                                   | coefficient.kl
            {"edits":[{"op":"add","vector":"v","blocks":[0],"coefficient":[1]}]}                                          | coefficient
            {"edits":[{"op":"add","vector":"v","blocks":[0],"coefficient":1e60}]}         | float32
            {"edits":[{"op":"add","vector":"v","blocks":[0.5]}]}                          | whole
            {"edits":[{"op":"add","vector":"v","blocks":[1,1]}]}                          | twice
            {"edits":[{"op":"add","vector":"v","blocks":[]}]}                             | empty
            {"edits":[{"op":"add","vector":"v","blocks":[1.00000001]}]}                   | whole
            {"edits":[{"op":"add","vector":"v","blocks":"3..3"}]}                         | empty
            {"edits":[{"op":"add","vector":"v","blocks":"most"}]}                         | "all"
            {"edits":[{"op":"add","vector":"v","blocks":2}]}                              | blocks 2: accepted: a list of block numbers, "a..b" (half open) or "all"
            {"edits":[{"op":"add","vector":"v","blocks":{"a":1}}]}                        | blocks {"a":1}: accepted: a list
            {"edits":[{"op":"add","vector":"v","blocks":[0],"sites":"resid_post"}]}       | sites "resid_post": expected a list of site names; accepted: resid_pre, resid_mid
            {"edits":[{"op":"add","vector":"v","blocks":[0],"span":5}]}                   | span 5: accepted: all, prompt, generation, {"from"
            {"edits":[{"op":"add","vector":5,"blocks":[0]}]}                              | vector 5: expected a name, {"file": F} or {"file": F, "tensor": T}
            {"edits":[{"op":"add","vector":"v","blocks":[0],"coefficient":"2"}]}          | coefficient "2": accepted: a number (units of the stored vector), {"norm": x}
            {"edits":"x"}                                                                 | found "x"
            {"edits":[{"op":"add","vector":"v","blocks":[0],"sites":["resid"]}]}          | resid_mid
            {"edits":[{"op":"add","vector":"v","blocks":[0],"sites":[]}]}                 | sites
            {"edits":[{"op":"add","vector":"v","blocks":[0],"span":"answer"}]}            | generation
            {"edits":[{"op":"add","vector":"v","blocks":[0],"span":{"role":"narrator"}}]}                                 | system, user, assistant, thinking, tool
            {"edits":[{"op":"add","vector":"v","blocks":[0],"span":{"role":3}}]}                                          | span.role
            {"edits":[{"op":"add","vector":"v","blocks":[0],"span":{"role":"user","from":1}}]}                            | role
            {"edits":[{"op":"add","vector":"v","blocks":[0],"span":{"to":1}}]}                                            | {"from": i, "to": j}
            {"edits":[{"op":"add","vector":"v","blocks":[0],"span":{"from":-1,"to":1}}]}                                  | 0 <= from
            {"edits":[{"op":"add","vector":"v","blocks":[0],"span":5}]}                                                   | span
            {"edits":[{"op":"add","vector":"v","blocks":[0],"span":{"from":3,"to":3}}]}   | from < to
            {"edits":[{"op":"add","vector":"v","blocks":[0],"schedule":{"decay":1.5}}]}                                   | schedule.decay 1.5: expected a factor
            {"edits":[{"op":"add","vector":"v","blocks":[0],"schedule":{"decay":0}}]}                                     | schedule.decay
            {"edits":[{"op":"add","vector":"v","blocks":[0],"schedule":{"ramp":0}}]}                                      | schedule.ramp 0: expected
            {"edits":[{"op":"add","vector":"v","blocks":[0],"schedule":{"first":2.5}}]}                                   | schedule.first: expected a whole
            {"edits":[{"op":"add","vector":"v","blocks":[0],"schedule":{"after":-3}}]}                                    | schedule.after
            {"edits":[{"op":"add","vector":"v","blocks":[0],"schedule":{"first":2,"after":1}}]}                           | {"after": tokens}
            {"edits":[{"op":"add","vector":"v","blocks":[0],"schedule":{"grow":2}}]}                                      | unknown key "grow"; accepted: {"decay"
            {"edits":[{"op":"add","vector":"v","blocks":[0],"schedule":"ramp"}]}                                          | {"ramp": tokens}
            {"edits":[{"op":"add","vector":"v","blocks":[0],"when":{}}]}                                                  | "block" is missing
            {"edits":[{"op":"add","vector":"v","blocks":[0],"when":5}]}                                                   | "probe", "block"
            {"edits":[{"op":"add","vector":"v","blocks":[0],"when":{"probe":"v","block":1}}]}                             | "above" or "below", a threshold; found neither
            {"edits":[{"op":"add","vector":"v","blocks":[0],"when":{"probe":"v","block":1,"above":1,"below":2}}]}         | found both
            {"edits":[{"op":"add","vector":"v","blocks":[0],"when":{"block":1,"above":1}}]}                               | "when.probe" is missing
            {"edits":[{"op":"add","vector":"v","blocks":[0],"when":{"probe":"w","block":1,"above":1}}]}                   | "w"
            {"edits":[{"op":"add","vector":"v","blocks":[0],"when":{"probe":"v","block":1,"above":"x"}}]}                 | when.above
            {"edits":[{"op":"add","vector":"v","blocks":[0],"when":{"probe":"v","block":1,"below":1,"measure":"often"}}]} | prompt_mean
            {"edits":[{"op":"add","vector":"v","blocks":[0],"when":{"probe":"v","block":1,"below":1,"site":"resid"}}]}    | when: unknown site
            {"edits":[{"op":"add","vector":"v","blocks":[0],"when":{"probe":"v","block":1,"below":1,"unit":2}}]}          | when: unknown key "unit"; accepted: above
            {"edits":[{"op":"add","vector":"v","blocks":[0],"at":1}]}                                                     | "at" is for a matrix
            {"edits":[{"op":"ablate","vector":"v","blocks":[0],"at":1}]}                                                  | unknown key "at" for op ablate
            {"edits":[{"op":"add","vector":{"file":"f","tensor":"t","incremental":true},"blocks":[0]}]}                   | contradict
            {"edits":[{"op":"add","vector":{"file":"f","incremental":1},"blocks":[0]}]}                                   | vector.incremental: expected true or false
            {"edits":[{"op":"add","vector":"v","blocks":[0],"preserve_norm":1}]}          | preserve_norm: expected true
            {"edits":[{"op":"clamp","vector":"v","blocks":[0]}]}                          | "min"
            {"edits":[{"op":"clamp","vector":"v","blocks":[0],"min":2,"max":1}]}          | above max
            {"edits":[{"op":"set","vector":"v","blocks":[0]}]}                            | "value"
            {"edits":[{"op":"add","vector":{"tensor":"t"},"blocks":[0]}]}                 | "file"
            {"edits":[{"op":"add","vector":{"file":"f","name":"t"},"blocks":[0]}]}        | accepted: file
            {"edits":[{"op":"add","op":"ablate","vector":"v","blocks":[0]}]}              | op
            """)
    void mistakesAreNamed(String json, String word) {
        TillerException e = assertThrows(TillerException.class, () -> parse(json.trim()));
        assertTrue(e.getMessage().contains("plan.json"), e.getMessage());
        assertTrue(e.getMessage().contains(word.trim()), e.getMessage());
        assertEquals(1, e.getMessage().lines().count());
    }
}
