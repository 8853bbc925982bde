package dev.tiller.loader.hub;

import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which proxy an address is asked through, from the variables that the Python tools read: HTTPS_PROXY, HTTP_PROXY,
 * ALL_PROXY and NO_PROXY, each also in lower case, which goes before and may switch one off by being empty. Java's own
 * switches ({@code -Dhttps.proxyHost}) go before all of them, as they are meant for this program alone. This machine is
 * never asked through a proxy: a token for it travels in the clear.
 */
final class HubProxies extends ProxySelector {
    private static final List<Proxy> DIRECT = List.of(Proxy.NO_PROXY);
    private static final Pattern ADDRESS = Pattern.compile(
            "(?:([A-Za-z][A-Za-z0-9+.-]*)://)?(?:(.*)@)?([^@/:\\[\\]]+|\\[[0-9A-Fa-f:.]+])(?::(\\d{1,5}))?/*");
    private static final Pattern EXCEPTION = Pattern.compile("(.+?|\\[.+])(?::(\\d{1,5}))?");

    private final Map<String, String> environment;

    HubProxies(Map<String, String> environment) {
        this.environment = environment;
    }

    /** A proxy and how it is spoken to. No method but the one that makes the header gives the password out. */
    static final class Named {
        private final String variable;
        private final String host;
        private final int port;
        private final String user;

        private Named(String variable, String host, int port, String user) {
            this.variable = variable;
            this.host = host;
            this.port = port;
            this.user = user;
        }

        /** Where it came from. */
        String variable() {
            return variable;
        }

        Proxy proxy() {
            return new Proxy(Proxy.Type.HTTP, InetSocketAddress.createUnresolved(host, port));
        }

        /** Value of the Proxy-Authorization header (RFC 7617); empty if no user name was given. */
        Optional<String> authorization() {
            return Optional.ofNullable(user)
                    .map(u -> "Basic " + Base64.getEncoder().encodeToString(u.getBytes(StandardCharsets.UTF_8)));
        }

        @Override
        public String toString() {
            return "the proxy " + host + ":" + port + " (" + variable + ")";
        }
    }

    /** The proxy that the environment names for an address; empty if there is none, or Java's switches name one. */
    Optional<Named> named(URI uri) {
        return isLoopback(uri) || isJavas(uri) || isException(uri) ? Optional.empty() : any(uri);
    }

    private Optional<Named> any(URI uri) {
        for (String variable : new String[] {scheme(uri) + "_proxy", "all_proxy"}) {
            String name = environment.containsKey(variable) ? variable : variable.toUpperCase(Locale.ROOT);
            String value = environment.getOrDefault(name, "").strip();
            if (!value.isEmpty()) {
                return Optional.of(parse(name, value));
            }
        }
        return Optional.empty();
    }

    private static Named parse(String variable, String value) {
        Matcher m = ADDRESS.matcher(value);
        boolean good = m.matches();
        String scheme = good && m.group(1) != null ? m.group(1).toLowerCase(Locale.ROOT) : "http";
        int port = good && m.group(4) != null ? Integer.parseInt(m.group(4)) : 80;
        if (!good || !scheme.equals("http") || port < 1 || port > 65535) {
            // Not quoted if it may hold a password.
            String found = good && !scheme.equals("http")
                    ? "one that is spoken to in " + Messages.quote(scheme)
                    : value.contains("@") ? "another with an @" : Messages.quote(value);
            throw new TillerException(
                    variable + ": expected a proxy like http://user:password@host:port, found " + found);
        }
        return new Named(variable, m.group(3), port, m.group(2) == null ? null : user(variable, m.group(2)));
    }

    /** {@code user:password}, which may be percent-encoded. */
    private static String user(String variable, String text) {
        String user;
        try {
            user = URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            user = text; // a percent sign that means itself
        }
        if (user.chars().anyMatch(Character::isISOControl)) {
            throw new TillerException(variable + ": expected a user name and a password without control characters");
        }
        return user.contains(":") ? user : user + ":";
    }

    // ---- what is asked directly ----

    private static boolean isLoopback(URI uri) {
        return HubSettings.isLoopback(uri.getHost());
    }

    private static boolean isJavas(URI uri) {
        return System.getProperty(scheme(uri) + ".proxyHost") != null;
    }

    /** True if NO_PROXY names the host of an address. */
    private boolean isException(URI uri) {
        String name = environment.containsKey("no_proxy") ? "no_proxy" : "NO_PROXY";
        String host = bare(uri.getHost().toLowerCase(Locale.ROOT));
        for (String entry :
                environment.getOrDefault(name, "").toLowerCase(Locale.ROOT).split("[,\\s]+")) {
            if (!entry.isEmpty() && names(entry, host, HubHttp.port(uri))) {
                return true;
            }
        }
        return false;
    }

    /** An entry is "*", a name with all below it, an address or a range of addresses; the first two with a port or without. */
    private static boolean names(String entry, String host, int port) {
        Optional<InetAddress> address = literal(host);
        if (address.isPresent() && (literal(bare(entry)).isPresent() || entry.contains("/"))) {
            return isInRange(bare(entry), address.get());
        }
        Matcher m = EXCEPTION.matcher(entry);
        if (!m.matches() || m.group(2) != null && Integer.parseInt(m.group(2)) != port) {
            return false;
        }
        String name = bare(m.group(1)).replaceFirst("^\\*?\\.", "");
        return name.equals("*") || host.equals(name) || address.isEmpty() && host.endsWith("." + name);
    }

    private static boolean isInRange(String entry, InetAddress address) {
        String[] parts = entry.split("/", 2);
        byte[] first = literal(parts[0]).map(InetAddress::getAddress).orElse(new byte[0]);
        byte[] asked = address.getAddress();
        if (first.length != asked.length || parts.length == 2 && !parts[1].matches("\\d{1,3}")) {
            return false;
        }
        int bits = 8 * asked.length;
        int rest = parts.length == 1 ? 0 : bits - Math.min(bits, Integer.parseInt(parts[1]));
        return new BigInteger(1, first).shiftRight(rest).equals(new BigInteger(1, asked).shiftRight(rest));
    }

    private static Optional<InetAddress> literal(String text) {
        try {
            return Optional.of(InetAddress.ofLiteral(text));
        } catch (IllegalArgumentException e) {
            return Optional.empty(); // a name
        }
    }

    private static String bare(String host) {
        return host.replaceAll("^\\[|]$", "");
    }

    private static String scheme(URI uri) {
        return uri.getScheme().toLowerCase(Locale.ROOT);
    }

    // ---- what the client asks ----

    @Override
    public List<Proxy> select(URI uri) {
        if (isLoopback(uri)) {
            return DIRECT;
        }
        if (!isJavas(uri)) {
            if (isException(uri)) {
                return DIRECT;
            }
            Optional<Named> named = any(uri);
            if (named.isPresent()) {
                return List.of(named.get().proxy());
            }
        }
        ProxySelector ofJava = ProxySelector.getDefault();
        return ofJava == null ? DIRECT : ofJava.select(uri);
    }

    @Override
    public void connectFailed(URI uri, SocketAddress address, IOException e) {
        // the exception itself says so
    }
}
