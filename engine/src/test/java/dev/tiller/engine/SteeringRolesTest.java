package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import dev.tiller.loader.template.Message;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Edits where one role speaks, beside the ranges of its words. */
class SteeringRolesTest extends OnBothBackends {
    @Test
    void rolesStandWhereTheirWordsStand() {
        List<Message> chat = List.of(
                new Message("system", "Be brief, please."),
                new Message("user", "How do you see my garden?"),
                new Message("assistant", "It will be fine."),
                new Message("user", "And my chair?"));
        ChatPrompt prompt = simd.chatPrompt(chat);
        assertEquals("Be brief, please.", words(prompt, Role.SYSTEM, false));
        assertEquals("How do you see my garden?And my chair?", words(prompt, Role.USER, false));
        assertEquals("It will be fine.", words(prompt, Role.ASSISTANT, true));
        assertEquals("", words(prompt, Role.TOOL, false));
        assertEquals("", words(prompt, Role.THINKING, false));
    }

    /** The tokens at which a role speaks, as text; without the first of a run where that only predicts. */
    private static String words(ChatPrompt prompt, Role role, boolean predicted) {
        StringBuilder out = new StringBuilder();
        boolean before = false;
        for (int p = 0; p < prompt.ids().length; p++) {
            boolean here = prompt.has(role, p);
            if (here && (before || !predicted)) {
                out.append(simd.tokenizer().decode(new int[] {prompt.ids()[p]}, false));
            }
            before = here;
        }
        return out.toString();
    }

    @Test
    void roleSpansAreTheRangesOfTheirWords() {
        for (Model m : List.of(simd, scalar)) {
            ChatPrompt chat = MixedPlans.prompt(m, 2);
            for (Role role : List.of(Role.SYSTEM, Role.USER)) {
                int from = 0;
                while (!chat.has(role, from)) {
                    from++;
                }
                int to = from;
                while (chat.has(role, to)) {
                    to++;
                }
                Edit edit = Edit.add(GeneratorTest.random(m, 4, 0.5), 1, 2);
                assertArrayEquals(
                        generate(m, chat, SteeringPlan.of(edit.over(new Span.Range(from, to))))
                                .ids(),
                        generate(m, chat, SteeringPlan.of(edit.over(new Span.OfRole(role))))
                                .ids());
            }
            Edit edit = Edit.add(GeneratorTest.random(m, 4, 0.5), 1, 2);
            assertArrayEquals(
                    generate(m, chat, SteeringPlan.of(edit)).ids(),
                    generate(m, chat, SteeringPlan.of(edit.over(new Span.OfRole(Role.ASSISTANT))))
                            .ids());
            assertArrayEquals(
                    generate(m, chat, SteeringPlan.NONE).ids(),
                    generate(m, chat, SteeringPlan.of(edit.over(new Span.OfRole(Role.TOOL))))
                            .ids());
        }
    }

    @Test
    void rolesOfATextWithoutAnyAreRefused() {
        int[] ids = GeneratorTest.prompt(simd, 0);
        for (Role role : Role.values()) {
            SteeringPlan plan = SteeringPlan.of(
                    Edit.add(GeneratorTest.random(simd, 4, 0.5), 1, 2).over(new Span.OfRole(role)));
            for (Runnable run : List.<Runnable>of(
                    () -> simd.generate(GenerationRequest.greedy(ids, 3).with(plan)),
                    () -> simd.activations(ids, ids.length, plan),
                    () -> simd.newSequence(plan, 3),
                    () -> simd.pooled(List.of(new TokenizedText(ids, 3)), plan))) {
                String message = assertThrows(TillerException.class, run::run).getMessage();
                assertTrue(message.contains("has no roles") && message.contains("generation"), message);
            }
        }
        SteeringPlan thinking = SteeringPlan.of(
                Edit.add(GeneratorTest.random(simd, 4, 0.5), 1, 2).over(new Span.OfRole(Role.THINKING)));
        String message = assertThrows(TillerException.class, () -> generate(simd, MixedPlans.prompt(simd, 1), thinking))
                .getMessage();
        assertTrue(message.contains("no markers of thoughts") && message.contains("<think>"), message);
    }
}
