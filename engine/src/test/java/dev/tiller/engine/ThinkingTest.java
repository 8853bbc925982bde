package dev.tiller.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tiller.loader.Json;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.template.Message;
import dev.tiller.loader.template.ThinkingMarkers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The role "thinking": in prompts and while the answer grows, by the markers of the chat template. */
class ThinkingTest {
    private static final ThinkingMarkers THINK = new ThinkingMarkers("<think>", "</think>");
    private static final String LOOP = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content +"
            + " '<|im_end|>\\n' }}{% endfor %}{{ '<|im_start|>assistant\\n' }}";

    @TempDir
    private Path dir;

    /** The bundled model with another chat template. */
    private Model model(String name, String template) throws IOException {
        Path from = SharedFiles.repository("models/microworld");
        Path to = Files.createDirectory(dir.resolve(name));
        try (Stream<Path> files = Files.list(from)) {
            for (Path f : files.filter(Files::isRegularFile).toList()) {
                Files.copy(f, to.resolve(f.getFileName().toString()));
            }
        }
        Path config = to.resolve("tokenizer_config.json");
        JsonObject o = Json.readObject(config);
        o.addProperty("chat_template", template);
        Files.writeString(config, o.toString());
        return Model.load(to, LoadOptions.DEFAULT.withBackend("simd"));
    }

    private static ChatPrompt prompt(Model m) {
        return m.chatPrompt(List.of(new Message("user", "How do you see my garden?")));
    }

    /** The first position inside thoughts. */
    private static int first(Model m) {
        ChatPrompt chat = prompt(m);
        int p = 0;
        while (!chat.has(Role.THINKING, p)) {
            p++;
        }
        return p;
    }

    private static int[] answer(Model m, Span span) {
        ChatPrompt chat = prompt(m);
        SteeringPlan plan = span == null
                ? SteeringPlan.NONE
                : SteeringPlan.of(
                        Edit.add(GeneratorTest.random(m, 3, 0.5), 1, 2).over(span));
        return m.generate(new GenerationRequest(chat, plan, new SamplingOptions(1, 0, 1, 0, 1), 5, 15, true))
                .ids();
    }

    @Test
    void theAnswerBeginsInsideOrOutside() throws IOException {
        Span thinking = new Span.OfRole(Role.THINKING);
        try (Model open = model("open", LOOP + "{{ '<think>\\n' }}{# </think> #}");
                Model closed = model("closed", LOOP + "{{ '<think>\\n\\n</think>\\n\\n' }}")) {
            assertArrayEquals(
                    answer(open, new Span.Range(first(open), 10_000)),
                    answer(open, thinking),
                    "to the end of the answer");
            assertFalse(Arrays.equals(answer(open, null), answer(open, thinking)));
            // closed thoughts in the head are steered, the answer is not: the same as the range of those positions
            ChatPrompt chat = prompt(closed);
            int from = first(closed);
            int to = from;
            while (to < chat.ids().length && chat.has(Role.THINKING, to)) {
                to++;
            }
            assertTrue(to < chat.ids().length);
            assertArrayEquals(answer(closed, new Span.Range(from, to)), answer(closed, thinking));
            assertFalse(Arrays.equals(answer(closed, Span.GENERATION), answer(closed, thinking)));
        }
    }

    @Test
    void thoughtsOfEarlierAnswersAndOfTheHead() throws IOException {
        try (Model m = model("history", LOOP + "{{ '<think>\\n\\n</think>\\n\\n' }}")) {
            ChatPrompt chat = m.chatPrompt(List.of(
                    new Message("system", "Write <think> before thoughts."),
                    new Message("user", "A </think> B"),
                    new Message("assistant", "<think>hm, well</think>Yes it will."),
                    new Message("user", "And this?")));
            List<String> runs = runs(m, chat, Role.THINKING);
            assertEquals(2, runs.size(), runs.toString());
            assertTrue(runs.getFirst().contains("hm, well") && !runs.getFirst().contains("Yes"), runs.toString());
            assertTrue(runs.getLast().contains("\n\n") && !runs.getLast().contains("</think>"), runs.toString());
            List<String> said = runs(m, chat, Role.ASSISTANT);
            assertEquals(1, said.size(), said.toString());
            assertTrue(said.getFirst().endsWith("<think>hm, well</think>Yes it will."), said.toString());
        }
    }

    /** The stretches of a role, as text. */
    private static List<String> runs(Model m, ChatPrompt chat, Role role) {
        List<String> out = new ArrayList<>();
        boolean before = false;
        for (int p = 0; p < chat.ids().length; p++) {
            boolean here = chat.has(role, p);
            if (here) {
                String piece = m.tokenizer().decode(new int[] {chat.ids()[p]}, false);
                if (before) {
                    out.set(out.size() - 1, out.getLast() + piece);
                } else {
                    out.add(piece);
                }
            }
            before = here;
        }
        return out;
    }

    /** After each token the track says what the text so far says. */
    @Test
    void theTrackFollowsTheText() throws IOException {
        try (Model m = model("track", LOOP + "<think></think>")) {
            for (String text : List.of(
                    "well <think>so\nand</think> then <think>again", "a<thin <think>é</thi</think>b", "no thoughts")) {
                for (boolean inside : new boolean[] {false, true}) {
                    int[] ids = m.tokenizer().encode(text, false);
                    ThoughtTrack track = new ThoughtTrack(THINK, m.tokenizer().streamDecoder(false), inside);
                    for (int k = 0; k < ids.length; k++) {
                        track.append(ids[k]);
                        String soFar = m.tokenizer().decode(Arrays.copyOf(ids, k + 1), false);
                        assertEquals(inside(soFar, inside), track.after(k), soFar);
                    }
                }
            }
        }
    }

    private static boolean inside(String text, boolean begins) {
        boolean inside = begins;
        for (int at = 0; at < text.length(); at++) {
            String wanted = inside ? THINK.close() : THINK.open();
            if (text.startsWith(wanted, at)) {
                inside = !inside;
                at += wanted.length() - 1;
            }
        }
        return inside;
    }
}
