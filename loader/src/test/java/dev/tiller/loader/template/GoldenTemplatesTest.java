package dev.tiller.loader.template;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tiller.loader.SharedFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Real templates against what transformers made of them: text exactly, errors by kind. */
class GoldenTemplatesTest {
    private static final String FOLDER = "fixtures/templates";

    /** How the names tools and documents are given when a case has none. */
    private enum Without {
        NULL,
        UNDEFINED
    }

    private static JsonObject goldens;

    private static JsonObject goldens() throws IOException {
        Path file = SharedFiles.require(FOLDER).resolve("goldens.json");
        if (goldens == null) {
            goldens = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
        }
        return goldens;
    }

    static Stream<String> templates() throws IOException {
        if (!SharedFiles.has(FOLDER)) {
            return Stream.of("none");
        }
        try (Stream<Path> files = Files.list(SharedFiles.require(FOLDER))) {
            return files
                    .map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(".jinja"))
                    .sorted()
                    .toList()
                    .stream();
        }
    }

    @Test
    void allCasesAreThere() throws IOException {
        assertEquals(1264, goldens().getAsJsonArray("cases").size());
        assertEquals(38, templates().count());
    }

    @ParameterizedTest
    @MethodSource("templates")
    void everyCaseIsExactWithNull(String template) throws IOException {
        check(template, Without.NULL);
    }

    @ParameterizedTest
    @MethodSource("templates")
    void everyCaseIsExactWithUndefined(String template) throws IOException {
        check(template, Without.UNDEFINED);
    }

    private static void check(String template, Without without) throws IOException {
        JsonObject goldens = goldens();
        String source = Files.readString(SharedFiles.require(FOLDER).resolve(template));
        ChatTemplate parsed = ChatTemplate.parse(source, template);
        LocalDateTime now = LocalDateTime.parse(goldens.get("clock").getAsString());
        List<String> wrong = new ArrayList<>();
        int cases = 0;
        for (JsonElement element : goldens.getAsJsonArray("cases")) {
            JsonObject golden = element.getAsJsonObject();
            if (!golden.get("template").getAsString().equals(template)) {
                continue;
            }
            cases++;
            boolean friendlier = without == Without.UNDEFINED && golden.has("if_tools_and_documents_are_undefined");
            JsonObject wanted = friendlier ? golden.getAsJsonObject("if_tools_and_documents_are_undefined") : golden;
            Map<String, Object> context = context(goldens, golden, without);
            String result;
            try {
                String text = parsed.render(context, now);
                result = wanted.has("output")
                                && wanted.get("output").getAsString().equals(text)
                        ? ""
                        : "got text: " + text;
            } catch (TemplateException e) {
                boolean expected = wanted.has("error")
                        && (!wanted.has("error_type")
                                || wanted.get("error_type")
                                        .getAsString()
                                        .equals(e.kind().pythonName()));
                result = expected ? "" : "threw " + e.getMessage();
            }
            if (!result.isEmpty()) {
                wrong.add(golden.get("conversation") + " " + golden.get("add_generation_prompt") + ": wanted " + wanted
                        + "\n    " + result);
            }
        }
        assertTrue(cases > 0, "no case for " + template);
        assertTrue(wrong.isEmpty(), () -> wrong.size() + " cases differ:\n" + String.join("\n", wrong));
    }

    private static Map<String, Object> context(JsonObject goldens, JsonObject golden, Without without) {
        Map<String, Object> context =
                new HashMap<>(goldens.getAsJsonObject("constants").asMap());
        if (golden.has("variables")) {
            context.putAll(golden.getAsJsonObject("variables").asMap());
        }
        String conversation = golden.get("conversation").getAsString();
        context.put("messages", goldens.getAsJsonObject("conversations").get(conversation));
        context.put("add_generation_prompt", golden.get("add_generation_prompt"));
        boolean tools = golden.has("tools") && golden.get("tools").getAsBoolean();
        if (tools) {
            context.put("tools", goldens.get("tools"));
        } else if (without == Without.NULL) {
            context.put("tools", null);
        }
        if (without == Without.NULL) {
            context.put("documents", null);
        }
        return context;
    }
}
