package dev.tiller.loader.hub;

import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.net.InetAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where models come from and where they are kept, from the environment variables of the Python tools (documentation of
 * huggingface_hub, "Environment variables"): HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_HUB_CACHE,
 * HF_HUB_OFFLINE, HF_HUB_DISABLE_SYMLINKS, HF_HUB_DISABLE_IMPLICIT_TOKEN; and those of the libraries they use, see
 * {@link HubProxies} and {@link HubTrust}.
 *
 * @param endpoint address without a slash at its end
 * @param token empty: ask without one
 * @param cache folder of the downloaded models
 * @param offline the network must not be used
 * @param links false: copies instead of symbolic links
 * @param proxies who is asked in place of a server
 * @param trust certificates in place of those that Java knows
 */
public record HubSettings(
        URI endpoint,
        Optional<HubToken> token,
        Path cache,
        boolean offline,
        boolean links,
        HubProxies proxies,
        Optional<HubTrust> trust) {
    private static final String PUBLIC_HUB = "https://huggingface.co";
    private static final Set<String> TRUE = Set.of("1", "ON", "YES", "TRUE");
    private static final Pattern VARIABLE = Pattern.compile("\\$(\\w+|\\{\\w+})");

    public HubSettings {
        if (token.isPresent() && !maySendTokens(endpoint)) {
            throw new TillerException("HF_ENDPOINT " + endpoint + ": expected https (a token, here from "
                    + token.get().origin()
                    + ", is sent in the clear to this machine alone), found http; to ask without a token set"
                    + " HF_HUB_DISABLE_IMPLICIT_TOKEN=1");
        }
    }

    /** All settings; {@code tokenFile} goes before what the environment says, null for none. */
    public static HubSettings of(Map<String, String> environment, Path tokenFile) {
        return new HubSettings(
                endpoint(value(environment, "HF_ENDPOINT").orElse(PUBLIC_HUB)),
                token(environment, tokenFile),
                cache(environment),
                isTrue(environment, "HF_HUB_OFFLINE") || isTrue(environment, "TRANSFORMERS_OFFLINE"),
                !isTrue(environment, "HF_HUB_DISABLE_SYMLINKS"),
                new HubProxies(environment),
                HubTrust.of(environment));
    }

    /** The folder of downloaded models: HF_HUB_CACHE, else hub in HF_HOME, else huggingface/hub in XDG_CACHE_HOME or ~/.cache. */
    public static Path cache(Map<String, String> environment) {
        return named(environment, "HF_HUB_CACHE")
                .or(() -> named(environment, "HUGGINGFACE_HUB_CACHE"))
                .orElseGet(() -> home(environment).resolve("hub"));
    }

    private static Path home(Map<String, String> environment) {
        return named(environment, "HF_HOME")
                .orElseGet(() -> named(environment, "XDG_CACHE_HOME")
                        .orElseGet(() -> userHome(environment).resolve(".cache"))
                        .resolve("huggingface"));
    }

    private static Path userHome(Map<String, String> environment) {
        String home = value(environment, "HOME").orElseGet(() -> System.getProperty("user.home"));
        if (home == null || home.equals("?")) { // what Java says of a user without one
            throw new TillerException("expected a home folder in HOME, or one for models in HF_HOME, found neither");
        }
        return Path.of(home).toAbsolutePath();
    }

    private static Optional<HubToken> token(Map<String, String> environment, Path tokenFile) {
        if (tokenFile != null) {
            return Optional.of(HubToken.read(tokenFile)
                    .orElseThrow(() -> new TillerException(tokenFile + ": expected an access token, found none")));
        }
        if (isTrue(environment, "HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
            return Optional.empty();
        }
        for (String name : new String[] {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
            Optional<HubToken> token = value(environment, name).flatMap(text -> HubToken.of(text, name));
            if (token.isPresent()) {
                return token;
            }
        }
        Path file = named(environment, "HF_TOKEN_PATH")
                .orElseGet(() -> home(environment).resolve("token"));
        return Files.isRegularFile(file) ? HubToken.read(file) : Optional.empty();
    }

    private static Optional<Path> named(Map<String, String> environment, String variable) {
        return value(environment, variable).map(text -> path(variable, text, environment));
    }

    /** A path as the Python tools read it: ~ and variables are replaced. Absolute, so that it is good in any folder. */
    static Path path(String variable, String text, Map<String, String> environment) {
        Matcher m = VARIABLE.matcher(text);
        String expanded = m.replaceAll(found -> {
            String name = found.group(1).replaceAll("[{}]", "");
            return Matcher.quoteReplacement(environment.getOrDefault(name, found.group()));
        });
        if (expanded.equals("~") || expanded.startsWith("~/")) {
            return userHome(environment).resolve(expanded.substring(Math.min(2, expanded.length())));
        }
        try {
            if (!expanded.startsWith("~")) {
                return Path.of(expanded).toAbsolutePath();
            }
        } catch (InvalidPathException e) {
            // said below
        }
        throw new TillerException(
                variable + ": expected a path, such as /folder or ~/folder, found " + Messages.quote(expanded));
    }

    private static URI endpoint(String text) {
        URI uri = null;
        try {
            uri = URI.create(text.replaceAll("/+$", ""));
        } catch (IllegalArgumentException e) {
            // said below
        }
        boolean good = uri != null && isWeb(uri) && uri.getQuery() == null && uri.getFragment() == null;
        if (!good) {
            // Not quoted if it may hold a password.
            String shown = text.contains("@") ? "one with an @" : Messages.quote(text);
            throw new TillerException("HF_ENDPOINT: expected an address like " + PUBLIC_HUB + ", found " + shown);
        }
        return uri;
    }

    /** True for http and https addresses of a host, without a user name. */
    static boolean isWeb(URI uri) {
        String scheme = uri.getScheme() == null ? "" : uri.getScheme().toLowerCase(Locale.ROOT);
        return (scheme.equals("http") || scheme.equals("https"))
                && uri.getHost() != null
                && uri.getRawUserInfo() == null;
    }

    static boolean isHttps(URI uri) {
        return "https".equalsIgnoreCase(uri.getScheme());
    }

    /** Secrets travel encrypted, or not at all beyond this machine. */
    static boolean maySendTokens(URI uri) {
        return isHttps(uri) || isLoopback(uri.getHost());
    }

    /** By its written form alone: what a name server answers is nothing to trust. */
    static boolean isLoopback(String host) {
        if (host.equalsIgnoreCase("localhost")) {
            return true;
        }
        try {
            return InetAddress.ofLiteral(host.replaceAll("[\\[\\]]", "")).isLoopbackAddress();
        } catch (IllegalArgumentException e) {
            return false; // a name
        }
    }

    private static Optional<String> value(Map<String, String> environment, String name) {
        return Optional.ofNullable(environment.get(name)).filter(v -> !v.isBlank());
    }

    private static boolean isTrue(Map<String, String> environment, String name) {
        return TRUE.contains(environment.getOrDefault(name, "").toUpperCase(Locale.ROOT));
    }
}
