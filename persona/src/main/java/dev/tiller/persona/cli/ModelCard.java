package dev.tiller.persona.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What a model's card says and every result of the model must repeat. */
final class ModelCard {
    private static final Pattern DESIGNED = Pattern.compile("[^.:]*designed property of this model[^.]*\\.");

    private ModelCard() {}

    /** The card's own sentence that the model was made to be steered; empty if its card has none. */
    static Optional<String> steerability(Path model) throws IOException {
        Path card = model.resolve("MODEL_CARD.md");
        if (!Files.isRegularFile(card)) {
            return Optional.empty();
        }
        Matcher m = DESIGNED.matcher(Files.readString(card));
        return m.find() ? Optional.of(m.group().strip().replaceAll("\\s+", " ")) : Optional.empty();
    }
}
