package dev.tiller.bench.start;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.engine.GenerationRequest;
import dev.tiller.engine.LoadOptions;
import dev.tiller.engine.Model;
import dev.tiller.loader.template.Message;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SmallGgufTest {
    @TempDir
    private Path folder;

    @Test
    void isAModelWithTokenizerAndTemplate() throws Exception {
        Path file = folder.resolve("small.gguf");
        SmallGguf.write(file);
        try (Model model = Model.load(file, new LoadOptions("scalar", 1, null))) {
            int[] prompt = model.encode(SmallGguf.TEXT);
            assertEquals(SmallGguf.TEXT, model.tokenizer().decode(prompt, false));
            assertTrue(prompt.length <= 3, "merged");
            assertFalse(model.generate(GenerationRequest.greedy(prompt, 2)).ids().length == 0);
            assertTrue(model.renderChat(List.of(new Message("user", "the"))).endsWith("assistant\n"));
        }
    }
}
