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
            {"edits":[{"op":"rotate","vector":"v","blocks":[0]}]}                         | not supported
            {"edits":[{"op":"add","blocks":[0]}]}                                         | "vector"
            {"edits":[{"op":"add","vector":"w","blocks":[0]}]}                            | "w"
            {"edits":[{"op":"add","vector":"v"}]}                                         | "blocks"
            {"edits":[{"op":"add","vector":"v","blocks":[0],"coeficient":2}]}             | coeficient
            {"edits":[{"op":"add","vector":"v","blocks":[0],"strength":1}]}               | strength
            {"edits":[{"op":"ablate","vector":"v","blocks":[0],"coefficient":1}]}         | coefficient
            {"edits":[{"op":"ablate","vector":"v","blocks":[0],"strength":1.5}]}          | 0..1
            {"edits":[{"op":"add","vector":"v","blocks":[0],"coefficient":"2"}]}          | number
            {"edits":[{"op":"add","vector":"v","blocks":[0],"coefficient":{"sd":1}}]}     | units
            {"edits":[{"op":"add","vector":"v","blocks":[0],"coefficient":1e60}]}         | float32
            {"edits":[{"op":"add","vector":"v","blocks":[0.5]}]}                          | whole
            {"edits":[{"op":"add","vector":"v","blocks":[1,1]}]}                          | twice
            {"edits":[{"op":"add","vector":"v","blocks":[]}]}                             | empty
            {"edits":[{"op":"add","vector":"v","blocks":[1.00000001]}]}                   | whole
            {"edits":[{"op":"add","vector":"v","blocks":"3..3"}]}                         | empty
            {"edits":[{"op":"add","vector":"v","blocks":"most"}]}                         | "all"
            {"edits":[{"op":"add","vector":"v","blocks":[0],"sites":["resid"]}]}          | resid_mid
            {"edits":[{"op":"add","vector":"v","blocks":[0],"sites":[]}]}                 | sites
            {"edits":[{"op":"add","vector":"v","blocks":[0],"span":"answer"}]}            | generation
            {"edits":[{"op":"add","vector":"v","blocks":[0],"span":{"role":"user"}}]}     | from
            {"edits":[{"op":"add","vector":"v","blocks":[0],"span":{"from":3,"to":3}}]}   | from < to
            {"edits":[{"op":"add","vector":"v","blocks":[0],"schedule":{"decay":0.9}}]}   | not supported
            {"edits":[{"op":"add","vector":"v","blocks":[0],"when":{}}]}                  | not supported
            {"edits":[{"op":"add","vector":"v","blocks":[0],"preserve_norm":true}]}       | preserve_norm
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
