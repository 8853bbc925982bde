package dev.tiller.loader.template;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tiller.loader.SharedFiles;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Real templates with seeded damage: each ends in a text or in a {@link TillerException}, never in anything else. */
class TemplateMutationTest {
    private static final int ROUNDS = 4000;
    private static final List<String> PIECES = List.of(
            "{%",
            "%}",
            "{{",
            "}}",
            "-%}",
            "{#",
            "#}",
            "(",
            ")",
            "[",
            "]",
            "'",
            "\"",
            "|",
            "~",
            " if ",
            " else ",
            " is ",
            "{% endif %}",
            "{% endfor %}",
            "{% break %}",
            "{% for x in messages %}",
            "{% if true %}",
            "|tojson",
            "|join",
            "messages",
            "[::-1]",
            "[0]",
            ".x",
            "loop",
            "\\",
            "\n",
            "9",
            "-",
            "{% set x = x ~ x %}",
            "{{ x }}",
            "*",
            "**",
            "🏴",
            "\u0000",
            "{% generation %}",
            "{% macro f() %}",
            "{{ f() }}");

    @Test
    void damagedTemplatesEndInTextOrError() throws IOException {
        Path folder = SharedFiles.require("fixtures/templates");
        JsonObject goldens = JsonParser.parseString(Files.readString(folder.resolve("goldens.json")))
                .getAsJsonObject();
        List<String> sources = new ArrayList<>();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file :
                    files.filter(f -> f.toString().endsWith(".jinja")).sorted().toList()) {
                sources.add(Files.readString(file));
            }
        }
        List<Object> conversations =
                new ArrayList<>(goldens.getAsJsonObject("conversations").asMap().values());
        int texts = 0;
        int errors = 0;
        for (int seed = 0; seed < ROUNDS; seed++) {
            Random random = new Random(seed);
            String source = damaged(sources.get(random.nextInt(sources.size())), random);
            Map<String, Object> context = new HashMap<>();
            context.put("messages", conversations.get(random.nextInt(conversations.size())));
            context.put("tools", random.nextBoolean() ? goldens.get("tools") : null);
            context.put("add_generation_prompt", random.nextBoolean());
            try {
                ChatTemplate.parse(source, "damaged").render(context, LocalDateTime.parse("2025-01-15T12:00:00"));
                texts++;
            } catch (TillerException e) {
                errors++;
            } catch (RuntimeException | Error e) {
                throw new AssertionError("seed " + seed + " of:\n" + source, e);
            }
        }
        assertTrue(texts > ROUNDS / 20 && errors > ROUNDS / 20, texts + " texts, " + errors + " errors");
    }

    private static String damaged(String source, Random random) {
        StringBuilder text = new StringBuilder(source);
        for (int i = random.nextInt(5); i >= 0 && !text.isEmpty(); i--) {
            int at = random.nextInt(text.length());
            int end = Math.min(text.length(), at + 1 + random.nextInt(random.nextBoolean() ? 3 : 200));
            switch (random.nextInt(4)) {
                case 0 -> text.delete(at, end);
                case 1 -> text.insert(at, PIECES.get(random.nextInt(PIECES.size())));
                case 2 -> text.insert(random.nextInt(text.length()), text.substring(at, end));
                default -> text.replace(at, Math.min(end, at + 3), PIECES.get(random.nextInt(PIECES.size())));
            }
        }
        return text.toString();
    }
}
