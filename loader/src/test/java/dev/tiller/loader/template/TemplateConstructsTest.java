package dev.tiller.loader.template;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonParser;
import java.time.LocalDateTime;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** One construct of the template language per case; every expected text was printed by Jinja2 3.1.6. */
class TemplateConstructsTest {
    private static final String CONTEXT = """
            {"m": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo", "k": null},
                   {"role": "user", "content": "Zed"}],
             "d": {"b": 1, "a": "x", "items": 2}, "s": "Hello World", "u": "Ünï🏴x é", "n": 5, "f": 2.5,
             "xs": [3, 1, 2], "html": "<b>&", "none": null, "big": 123456789012345678901234567890}
            """;

    static Stream<Arguments> cases() {
        return Stream.of(
                        whiteSpace(),
                        literals(),
                        operators(),
                        subscripts(),
                        strings(),
                        formatting(),
                        filters(),
                        tojson(),
                        tests(),
                        loops(),
                        scopes(),
                        macros(),
                        undefined(),
                        others())
                .flatMap(Stream::of)
                .map(pair -> Arguments.of(pair[0], pair[1]));
    }

    private static String[][] whiteSpace() {
        return new String[][] {
            {"a\n  {% if true %}\n  b\n  {% endif %}\nc\n", "a\n  b\nc"},
            {"a  {%- if true -%}  b  {%- endif -%}  c", "abc"},
            {"a\n  {%+ if true +%}\n b{% endif %}", "a\n  \n b"},
            {"  {{ 1 }}\n  {{- 2 -}}  \n3", "  123"},
            {"  {# note #}\nx{#- y -#}  z", "xz"},
            {"{% raw %}{{ x }} {% y %}{% endraw %}\nz", "{{ x }} {% y %}z"},
            {"a {%- raw -%}  {{ x }}  {%- endraw -%} z", "a{{ x }}z"},
            {"a\r\nb\rc\n\n", "a\nb\nc\n"},
            {"{{ {'a': {'b': 1}}['a']['b'] }}", "1"},
            {"x{% set y = 1 %}\n\nz", "x\nz"},
        };
    }

    private static String[][] literals() {
        return new String[][] {
            {"{{ 'a\\n\\t\\x41\\u00e9\\U0001F600\\'' \"b\" }}", "a\n\tAé😀'b"},
            {"{{ [1, 2.5, 'x', none, true, (1,), (), {}] }}", "[1, 2.5, 'x', None, True, (1,), (), {}]"},
            {"{{ 1_000 + 0x1f + 0b11 + 0o7 }}", "1041"},
            {
                "{{ 1e3 }} {{ 1e22 }} {{ 1e16 }} {{ 1.5e-5 }} {{ 0.1 + 0.2 }}",
                "1000.0 1e+22 1e+16 1.5e-05 0.30000000000000004"
            },
            {"{{ \"it's\" }} {{ [\"it's\", 'a\"b', 'é\\n\\x00'] }}", "it's [\"it's\", 'a\"b', 'é\\n\\x00']"},
            {"{{ True }} {{ None }} {{ false }}", "True None False"},
            {"{{ big + 1 }} {{ 2 ** 70 }}", "123456789012345678901234567891 1180591620717411303424"},
        };
    }

    private static String[][] operators() {
        return new String[][] {
            {"{{ -3 % 2 }} {{ 3 % -2 }} {{ -7 // 2 }} {{ 7 / 2 }} {{ -7.5 % 2 }}", "1 -1 -4 3.5 0.5"},
            {"{{ '=' * 3 }}{{ 2 * [1] }}{{ [1] + [2] }}{{ (1,) + (2,) }}", "===[1, 1][1, 2](1, 2)"},
            {"{{ 1 ~ none ~ 'a' ~ 2.0 ~ true }}", "1Nonea2.0True"},
            {"{{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ 2 ** -1 }}", "64 4 0.5"},
            {"{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }}", "True False True True"},
            {"{{ 1 == 1.0 }} {{ true == 1 }} {{ '1' == 1 }} {{ [1] == [1.0] }}", "True True False True"},
            {"{{ 'l' in s }} {{ 'role' in m[0] }} {{ 2 in xs }} {{ 4 not in xs }}", "True True True True"},
            {"{{ 0 or 'x' }} {{ 1 and 'y' }} {{ not '' }} {{ [] or none or 0 }}", "x y True 0"},
            {"{{ 'a' if n > 3 else 'b' }}{{ 'c' if n < 3 }}", "a"},
            {"{{ 1 ~ 2 * 3 ~ 'x' }} {{ 1 + 2 * 3 }}", "16x 7"},
            {"{{ true + true }} {{ -true }}", "2 -1"},
        };
    }

    private static String[][] subscripts() {
        return new String[][] {
            {"{{ xs[::-1] }} {{ xs[1:] }} {{ xs[-1] }} {{ xs[:-1] }} {{ xs[::2] }}", "[2, 1, 3] [1, 2] 2 [3, 1] [3, 2]"
            },
            {"{{ s[::-1] }} {{ s[1:-1:3] }} {{ s[-3:] }} {{ s[99:] }}", "dlroW olleH eoo rld "},
            {"{{ u[3] }} {{ u[3:5] }} {{ u|length }} {{ u[::-1] }}", "🏴 🏴x 7 é x🏴ïnÜ"},
            {"{{ d.b }} {{ d['a'] }} {{ d['items'] }} {{ d.items()|list|length }}", "1 x 2 3"},
            {"{{ m.0.role }} {{ m[0]['content'] }} {{ (1, 2)[1] }} {{ m[-1].content }}", "user hi 2 Zed"},
            {"{{ {1: 'a', 2.5: 'b', true: 'c'}[1.0] }}", "c"},
            {"{{ range(10)[2:5]|list }} {{ range(5, 0, -2)|list }}", "[2, 3, 4] [5, 3, 1]"},
        };
    }

    private static String[][] strings() {
        return new String[][] {
            {
                "{{ '\\n a\\n'.strip('\\n') }}|{{ ' a '.strip() }}|{{ 'xxa'.lstrip('x') }}|{{ 'axx'.rstrip('x') }}",
                " a|a|a|a"
            },
            {"{{ s.startswith('He') }} {{ s.endswith(('x', 'ld')) }}", "True True"},
            {
                "{{ s.upper() }} {{ s.lower() }} {{ \"it's ok\".title() }} {{ 'aB'.capitalize() }}",
                "HELLO WORLD hello world It'S Ok Ab"
            },
            {
                "{{ s.split() }} {{ 'a,b,,c'.split(',') }} {{ 'a b c'.split(' ', 1) }} {{ 'a</think>b'.split('</think>')[-1] }}",
                "['Hello', 'World'] ['a', 'b', '', 'c'] ['a', 'b c'] b"
            },
            {
                "{{ 'a b c'.rsplit(' ', 1) }} {{ ' a  b '.rsplit(none, 1) }} {{ ' a b '.split(none, 1) }} {{ 'a\\nb\\r\\nc'.splitlines() }}",
                "['a b', 'c'] [' a', 'b'] ['a', 'b '] ['a', 'b', 'c']"
            },
            {"{{ s.replace('l', 'L', 2) }} {{ 'ab'.replace('', '-') }}", "HeLLo World -a-b-"},
            {"{{ s.find('o') }} {{ s.rfind('o') }} {{ s.find('q') }} {{ s.count('l') }} {{ u.find('x') }}", "4 7 -1 3 4"
            },
            {
                "{{ ','.join(['a', 'b']) }} {{ 'a=b=c'.partition('=') }} {{ 'a=b=c'.rpartition('=') }}",
                "a,b ('a', '=', 'b=c') ('a=b', '=', 'c')"
            },
            {
                "{{ '7'.zfill(3) }} {{ 'a'.center(4, '*') }} {{ 'ab'.ljust(4) }}| {{ 'ab'.rjust(4) }}",
                "007 *a** ab  |   ab"
            },
            {"{{ '12'.isdigit() }} {{ 'ab'.isalpha() }} {{ 'AB'.isupper() }} {{ ' '.isspace() }}", "True True True True"
            },
            {"{{ 'unhappy'.removeprefix('un') }} {{ 'a.txt'.removesuffix('.txt') }} {{ 'aB'.swapcase() }}", "happy a Ab"
            },
            {"{{ 'ß'.upper() }} {{ 'İ'|lower|length }} {{ 'é'.isalpha() }}", "SS 2 True"},
        };
    }

    private static String[][] formatting() {
        return new String[][] {
            {"{{ '%s-%d-%5.2f|%-4s|%04d|%x' % ('a', 3, 2.5, 'b', 7, 255) }}", "a-3- 2.50|b   |0007|ff"},
            {"{{ '%(a)s %(b)r' % {'a': 1, 'b': 'x'} }} {{ '100%%' % () }}", "1 'x' 100%"},
            {
                "{{ '{} {}'.format(1, 'a') }} {{ '{1}{0}'.format(1, 2) }} {{ '{x:>4}|{y:.1f}'.format(x='a', y=2.25) }}",
                "1 a 21    a|2.2"
            },
            {
                "{{ '{:,}'.format(1234567) }} {{ '{0[a]} {1.role}'.format(d, m[0]) }} {{ '{!r}'.format('a') }}",
                "1,234,567 x user 'a'"
            },
            {"{{ '%s %s'|format(1, 2) }} {{ '%e' % 12345.678 }} {{ '%g' % 0.00001 }}", "1 2 1.234568e+04 1e-05"},
        };
    }

    private static String[][] filters() {
        return new String[][] {
            {
                "{{ ' a '|trim }}{{ 'b'|upper }}{{ 'C'|lower }} {{ 'hello wORLD-x'|title }} {{ 'aB c'|capitalize }}",
                "aBc Hello World-X Ab c"
            },
            {
                "{{ xs|join(', ') }} {{ m|map(attribute='content')|join('/') }} {{ m|join(',', attribute='role') }}",
                "3, 1, 2 hi/yo/Zed user,assistant,user"
            },
            {
                "{{ xs|sort }} {{ xs|sort(reverse=true) }} {{ ['b', 'A']|sort }} {{ m|sort(attribute='role,content')|map(attribute='content')|list }}",
                "[1, 2, 3] [3, 2, 1] ['A', 'b'] ['yo', 'hi', 'Zed']"
            },
            {"{{ m|selectattr('role', 'equalto', 'user')|map(attribute='content')|list }}", "['hi', 'Zed']"},
            {
                "{{ m|rejectattr('role', 'in', ['user'])|list|length }} {{ [0, 1, '']|select|list }} {{ [1, 'a']|reject('string')|list }}",
                "1 [1] [1]"
            },
            {"{{ m|selectattr('k', 'defined')|list|length }} {{ [1, 2, 3]|select('odd')|list }}", "1 [1, 3]"},
            {"{{ nope|default('D') }} {{ ''|default('D') }}|{{ ''|default('D', true) }} {{ none|d('E') }}", "D |D None"
            },
            {
                "{{ xs|first }} {{ xs|last }} {{ xs|length }} {{ xs|sum }} {{ xs|min }} {{ xs|max }} {{ d|length }}",
                "3 2 3 6 1 3 3"
            },
            {
                "{{ d|dictsort }} {{ d|items|list }}",
                "[('a', 'x'), ('b', 1), ('items', 2)] [('b', 1), ('a', 'x'), ('items', 2)]"
            },
            {
                "{{ '42'|int + 1 }} {{ 'x'|int }} {{ 'x'|int(7) }} {{ '3.9'|int }} {{ '0x1f'|int(base=16) }} {{ '1.5'|float }}",
                "43 0 7 3 31 1.5"
            },
            {
                "{{ 2.5|round }} {{ 3.14159|round(2) }} {{ 2.1|round(0, 'ceil') }} {{ -0.1|round(0, 'ceil') }}"
                        + " {{ 7|round }} {{ -3|abs }}",
                "2.0 3.14 3.0 0.0 7 3"
            },
            {
                "{{ 'a\\nb\\n\\nc'|indent }}|{{ 'a\\nb'|indent(2, true) }}|{{ 'a\\nb'|indent('> ') }}",
                "a\n    b\n\n    c|  a\n  b|a\n> b"
            },
            {
                "{{ [1, 2, 1]|unique|list }} {{ xs|reverse|list }} {{ 'abc'|reverse }} {{ [1, 2, 3]|batch(2)|list }}",
                "[1, 2] [2, 1, 3] cba [[1, 2], [3]]"
            },
            {"{% for role, items in m|groupby('role') %}{{ role }}{{ items|length }} {% endfor %}", "assistant1 user2 "
            },
            {
                "{{ html|e }} {{ html|safe }} {{ '<x>' ~ html|safe }} {{ '<x>' + html|safe }}",
                "&lt;b&gt;&amp; <b>& <x><b>& &lt;x&gt;<b>&"
            },
            {
                "{{ 'a b c d'|truncate(3, leeway=0) }} {{ 'abc'|replace('b', 'X') }} {{ 5|string + '1' }} {{ 'a b'|wordcount }}",
                "... aXc 51 2"
            },
            {"{% filter upper|replace('A', 'x') %}abc{% endfilter %}", "xBC"},
        };
    }

    private static String[][] tojson() {
        return new String[][] {
            {
                "{{ {'a': [1, 2.0, none, true], 'é': '\"\\n/<'}|tojson }}",
                "{\"a\": [1, 2.0, null, true], \"é\": \"\\\"\\n/<\"}"
            },
            {"{{ {'b': 1, 'a': {}}|tojson(indent=2) }}", "{\n  \"b\": 1,\n  \"a\": {}\n}"},
            {"{{ {'b': 1, 'a': [1]}|tojson(sort_keys=true, separators=(',', ':')) }}", "{\"a\":[1],\"b\":1}"},
            {
                "{{ 'é🏴'|tojson(ensure_ascii=true) }} {{ '\\x7f\\x01'|tojson }}",
                "\"\\u00e9\\ud83c\\udff4\" \"\u007f\\u0001\""
            },
            {
                "{{ [1, [2]]|tojson(indent=1) }} {{ (1, 2)|tojson }} {{ {1: 2, none: 3}|tojson }}",
                "[\n 1,\n [\n  2\n ]\n] [1, 2] {\"1\": 2, \"null\": 3}"
            },
            {"{{ 1e100|tojson }} {{ 0.1|tojson }} {{ big|tojson }}", "1e+100 0.1 123456789012345678901234567890"},
        };
    }

    private static String[][] tests() {
        return new String[][] {
            {
                "{{ s is string }} {{ d is mapping }} {{ none is none }} {{ n is number }} {{ f is float }} {{ n is integer }}",
                "True True True True True True"
            },
            {"{{ true is number }} {{ true is integer }} {{ true is boolean }} {{ 1 is true }}", "True False True False"
            },
            {
                "{{ xs is sequence }} {{ s is iterable }} {{ d is sequence }} {{ n is iterable }} {{ xs is mapping }}",
                "True True True False False"
            },
            {
                "{{ nope is defined }} {{ nope is undefined }} {{ m[0].k is defined }} {{ m[1].k is defined }}",
                "False True False True"
            },
            {
                "{{ 4 is even }} {{ 4 is divisibleby 3 }} {{ 4 is not odd }} {{ n is eq 5 }} {{ n is in [5] }}",
                "True False True True True"
            },
            {
                "{{ m is sameas m }} {{ 'a' is lower }} {{ raise_exception is callable }} {{ 'upper' is filter }}",
                "True True True True"
            },
        };
    }

    private static String[][] loops() {
        return new String[][] {
            {
                "{% for x in xs %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }} {% endfor %}",
                "1032TrueFalse 2121FalseFalse 3210FalseTrue "
            },
            {
                "{% for x in xs %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}{{ loop.length }} {% endfor %}",
                "<3>13 3<1>23 1<2>3 "
            },
            {"{% for x in xs if x > 1 %}{{ x }}{{ loop.length }}{{ loop.last }} {% endfor %}", "32False 22True "},
            {"{% for x in [] %}a{% else %}none{% endfor %}", "none"},
            {
                "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}",
                "b=1;a=x;items=2;baitems"
            },
            {
                "{% for k, v in d|items %}{{ k }}{% endfor %}{% for c in 'aé🏴' %}<{{ c }}>{% endfor %}",
                "baitems<a><é><🏴>"
            },
            {
                "{% for x in range(5) %}{% if x == 1 %}{% continue %}{% elif x == 3 %}{% break %}{% endif %}{{ x }}{% endfor %}",
                "02"
            },
            {"{% for x in xs %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 2) }}{% endfor %}", "aTruebTrueaFalse"},
            {
                "{% for a in [1, 2] %}{% for b in [1, 2] %}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}",
                "121 122 "
            },
            {
                "{% for x in [[1, [2]], [3]] recursive %}{{ loop.depth }}{% if x is sequence %}({{ loop(x) }}){% else %}:{{ x }} {% endif %}{% endfor %}",
                "1(2:1 2(3:2 ))1(2:3 )"
            },
            {"{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "123"},
        };
    }

    private static String[][] scopes() {
        return new String[][] {
            {"{% set x = 1 %}{% for y in xs %}{% set x = x + y %}{{ x }}{% endfor %}{{ x }}", "4231"},
            {
                "{% set ns = namespace(x=1, l=[]) %}{% for y in xs %}{% set ns.x = ns.x + y %}{% set ns.l = ns.l + [y] %}{% endfor %}{{ ns.x }}{{ ns.l }}",
                "7[3, 1, 2]"
            },
            {"{% if true %}{% set x = 5 %}{% endif %}{{ x }}", "5"},
            {"{% set a, b = 1, 'x' %}{{ a }}{{ b }}{% set t = 1, 2 %}{{ t }}", "1x(1, 2)"},
            {"{% set x %}a{{ n }}{% endset %}{{ x|upper }}{% set y | trim %} b {% endset %}<{{ y }}>", "A5<b>"},
            {"{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a }}", "15"},
            {"{% set n = 9 %}{{ n }}{% macro f() %}{{ n }}{% endmacro %}{% set n = 10 %}{{ f() }}", "910"},
        };
    }

    private static String[][] macros() {
        return new String[][] {
            {
                "{% macro f(a, b='B', c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }} {{ f(1, c=2) }} {{ f(b=1, a=2) }}",
                "1B1 1B2 212"
            },
            {"{% macro f(a) %}<{{ a }}>{% endmacro %}{{ f() }}", "<>"},
            {"{% macro f() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, x=3) }}", "(1, 2){'x': 3}"},
            {"{% macro f(x) %}[{{ caller(x) }}]{% endmacro %}{% call(y) f(3) %}{{ y }}!{% endcall %}", "[3!]"},
            {"{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}", "3210"},
            {
                "{% macro f(a, b) %}{{ a }}-{{ b }}{% endmacro %}{{ f(*[1, 2]) }} {{ f(**{'b': 1, 'a': 2}) }} {{ f.name }} {{ f.arguments }}",
                "1-2 2-1 f ('a', 'b')"
            },
        };
    }

    private static String[][] undefined() {
        return new String[][] {
            {"<{{ nope }}{{ d.nope }}{{ none.x }}{{ xs[9] }}{{ 'a'.nope }}>", "<>"},
            {"{% for x in nope %}a{% else %}b{% endfor %}{{ nope|length }}{{ nope|list }}{{ not nope }}", "b0[]True"},
            {"{{ nope == nope2 }} {{ nope ~ 'x' }} {{ [nope] }} {{ nope is none }}", "True x [Undefined] False"},
            {"{{ nope|upper }}|{{ nope|join(',') }}|{{ 'x' in nope }}", "||False"},
        };
    }

    private static String[][] others() {
        return new String[][] {
            {
                "{{ strftime_now('%d %b %Y, %H:%M:%S %A %j %-d %p %y%%') }}",
                "15 Jan 2025, 12:00:00 Wednesday 015 15 PM 25%"
            },
            {"{% generation %}a{{ n }}{% endgeneration %}\nb", "a5b"},
            {
                "{{ dict(a=1, **{'b': 2}) }} {{ dict([('x', 1)]) }} {{ namespace(a=1) }}",
                "{'a': 1, 'b': 2} {'x': 1} <Namespace {'a': 1}>"
            },
            {
                "{% print 1, 'a' %}{% if false %}{{ 1|no_such_filter }}{% endif %}{{ (1|no_such_filter) if false else 'x' }}",
                "1ax"
            },
            {
                "{{ d.keys()|list }} {{ d.values()|list }} {{ d.get('q', 7) }} {{ d.get('q') }}",
                "['b', 'a', 'items'] [1, 'x', 2] 7 None"
            },
            {
                "{{ xs.index(1) }} {{ xs.count(3) }} {{ d.items() }}",
                "1 1 dict_items([('b', 1), ('a', 'x'), ('items', 2)])"
            },
        };
    }

    @ParameterizedTest
    @MethodSource("cases")
    void rendersAsJinjaDoes(String source, String expected) {
        Map<String, Object> context =
                new HashMap<>(JsonParser.parseString(CONTEXT).getAsJsonObject().asMap());
        ChatTemplate template = ChatTemplate.parse(source, "case");
        assertEquals(expected, template.render(context, LocalDateTime.parse("2025-01-15T12:00:00")));
    }
}
