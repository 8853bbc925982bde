"""Makes the small SentencePiece models of this folder and their reference strings (sentencepiece 0.2.2).

Run in the repository root: python loader/src/test/resources/tokenizers/make_sentencepiece.py
"""
import io
import json
import os
import random
import tempfile

import sentencepiece as spm

OUT = "loader/src/test/resources/tokenizers/"
text = open("README.md", encoding="utf-8").read() * 2
lines=[l for l in text.split('\n') if l.strip()][:400]
extra=["Grüße aus Köln, naïve façade", "Привет мир как дела", "日本語のテキスト 東京", "foo bar foo bar <call> x <call>", "for (int i = 0; i < n; i++) {  x += 2;  }"]*6
rules='\n'.join(['FF21\t41','FF22\t42','FB01\t66 69','2460\t31','A0\t20','200B\t','41 30A\tC5','65 301\tE9','3000\t20','2026\t2E 2E 2E','B4\t20 301','1F600\t3A 29','9\t20','A\t20'])+'\n'
RULES = tempfile.NamedTemporaryFile(mode='w', suffix='.tsv', encoding='utf-8')
RULES.write(rules)
RULES.flush()
def train(**kw):
    f=io.BytesIO()
    spm.SentencePieceTrainer.train(sentence_iterator=iter(lines+extra), model_writer=f, minloglevel=2, num_threads=1, hard_vocab_limit=False, **kw)
    b=f.getvalue()
    return b
def varint(n):
    o=b''
    while True:
        if n<128: return o+bytes([n])
        o+=bytes([n&127|128]); n>>=7
def fields(b):
    i=0
    while i<len(b):
        def rv():
            nonlocal i
            v=s=0
            while True:
                c=b[i]; i+=1; v|=(c&127)<<s; s+=7
                if c<128: return v
        st=i; k=rv(); w=k&7
        if w==0: v=rv()
        elif w==5: v=b[i:i+4]; i+=4
        elif w==1: v=b[i:i+8]; i+=8
        else:
            n=rv(); v=b[i:i+n]; i+=n
        yield k>>3,w,v,b[st:i]
def unused(b, pick):
    out=b''
    n=0
    for f,w,v,raw in fields(b):
        if f==1:
            d={a:x for a,_,x,_ in fields(v)}
            if d.get(3,1)==1 and pick(d[1].decode()):
                v=b'\x0a'+varint(len(d[1]))+d[1]+b'\x15'+d[2]+b'\x18\x05'
                raw=b'\x0a'+varint(len(v))+v; n+=1
        if f==2: # drop sampled paths etc: keep all but input (1), model_prefix (2)
            v=b''.join(r for a,_,_,r in fields(v) if a not in (1,2)); raw=b'\x12'+varint(len(v))+v
        if f==3: # rule tsv path
            v=b''.join(r for a,_,_,r in fields(v) if a not in (6,)); raw=b'\x1a'+varint(len(v))+v
        out+=raw
    print('unused',n)
    return out
models={
 'spm_bpe_rules': train(model_type='bpe',vocab_size=420,byte_fallback=True,user_defined_symbols=['<call>','foo bar','aa','a  b'],control_symbols=['<ctrl>'],normalization_rule_tsv=RULES.name,remove_extra_whitespaces=True),
 'spm_unigram_rules': train(model_type='unigram',vocab_size=330,user_defined_symbols=['<call>','foo bar','the'],control_symbols=['<ctrl>'],normalization_rule_tsv=RULES.name,remove_extra_whitespaces=True),
 'spm_unigram_bytes': train(model_type='unigram',vocab_size=450,byte_fallback=True,normalization_rule_name='identity',remove_extra_whitespaces=False,add_dummy_prefix=False,split_by_whitespace=False,max_sentencepiece_length=24),
 'spm_bpe_plain': train(model_type='bpe',vocab_size=330,normalization_rule_name='identity',remove_extra_whitespaces=False,split_digits=True,treat_whitespace_as_suffix=True),
}
rng=random.Random(7)
def rand_text():
    parts=["the ","Tiller"," steers ","  ","   ","\n","\t","foo bar","foo","bar","<call>","<ctrl>","<s>","aa","aaa","a  b","ab","Grüße","Привет","日本語","東京 ","😀","\uff21\uff22","ﬁne","①","\u00a0","\u200b","A\u030a","e\u0301","…","´","\u3000","\u2581","<0x41>","x","12345","\U0001f9d1\u200d\U0001f33e","ß","İ","weights of the model","transformer ","kernel","activation","\ufffd","\u0301","\r","zzz","qqqq"," "]
    return ''.join(rng.choice(parts) for _ in range(rng.randrange(1,9)))
words=[w for l in lines for w in l.split()]
for name,b in models.items():
    b=unused(b, (lambda p: len(p)>1 and sum(map(ord,p))%5==0) if name!='spm_unigram_bytes' else (lambda p: False))
    os.makedirs(OUT+name,exist_ok=True)
    open(OUT+name+'/tokenizer.model','wb').write(b)
    sp=spm.SentencePieceProcessor(model_proto=b)
    texts=['',' ','  ','a','\u200b',' a','a ','  a  b  ','\u200b \u200ba']+[rand_text() for _ in range(160)]+[' '.join(rng.choice(words) for _ in range(rng.randrange(1,12))) for _ in range(40)]
    with open(OUT+name+'/goldens.jsonl','w') as f:
        for t in texts:
            ids=sp.encode(t)
            rnd=[rng.randrange(sp.vocab_size()) for _ in range(rng.randrange(0,10))]
            rnd=[i for i in rnd if not sp.is_control(i) and not sp.is_unknown(i)]
            f.write(json.dumps(dict(text=t,ids=ids,decoded=sp.decode([i for i in ids if not sp.is_unknown(i)]),random=rnd,random_decoded=sp.decode(rnd)),ensure_ascii=True)+'\n')
    print(name,len(b),sp.vocab_size(),sp.bos_id(),os.path.getsize(OUT+name+'/goldens.jsonl'))
