"""Penn Treebank: the right files are read, and every wrong one is refused with the sentence that helps.

Damage is tested on tiny files made here, so no test but those marked `real_data` needs the real ones,
and none uses the network.
"""

import argparse
import gzip
import hashlib
import http.server
import os
import threading

import numpy as np
import pooch
import pytest

from lstm_tutorial.data import cli, files, load_corpus, ptb, registry, verify
from lstm_tutorial.errors import DataError

REAL_FOLDER = os.environ.get("LSTM_TUTORIAL_DATA")  # read before the fixture below hides it
TEXTS = {
    "train": " the cat sat on the mat \n the <unk> sat \n a cat \n",
    "valid": " the mat sat \n",
    "test": " a cat sat on a cat \n <unk> \n",
}
WORDS = 8  # the cat sat on mat a <unk> <eos>


def facts_of(texts):
    return {
        split: ptb.Facts(
            text.count("\n"), len(text.split()) + text.count("\n"), hashlib.sha256(text.encode()).hexdigest()
        )
        for split, text in texts.items()
    }


FACTS = facts_of(TEXTS)


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    monkeypatch.delenv("LSTM_TUTORIAL_DATA", raising=False)
    monkeypatch.setenv("LSTM_TUTORIAL_OFFLINE", "1")
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache")


@pytest.fixture
def folder(tmp_path):
    """A folder with the three tiny files in it."""
    for split, text in TEXTS.items():
        (tmp_path / "own" / "ptb").mkdir(parents=True, exist_ok=True)
        (tmp_path / "own" / "ptb" / f"ptb.{split}.txt").write_bytes(text.encode())
    return tmp_path / "own"


def load(folder, words=WORDS):
    return ptb._load_from(files.Place(folder, own=True), FACTS, words)


def refusal(folder, words=WORDS):
    """The message with which the folder is refused: one sentence that ends with the way out."""
    with pytest.raises(DataError) as caught:
        load(folder, words)
    message = str(caught.value)
    assert "\n" not in message and message.endswith(".")
    assert "--corpus banyan" in message and "LSTM_TUTORIAL_DATA" in message
    return message


# --- the right files -------------------------------------------------------------------------------


def check_tiny(corpus):
    # 4 times "the" and <eos> ... : by frequency, ties alphabetical
    assert corpus.vocabulary == ("<eos>", "the", "cat", "sat", "<unk>", "a", "mat", "on")
    assert corpus.train.dtype == corpus.valid.dtype == corpus.test.dtype == np.int64
    assert corpus.train.tolist() == [1, 2, 3, 7, 1, 6, 0, 1, 4, 3, 0, 5, 2, 0]
    assert corpus.valid.tolist() == [1, 6, 3, 0]
    assert corpus.token_counts == {split: facts.tokens for split, facts in FACTS.items()}
    assert corpus.sentence_counts == {split: facts.sentences for split, facts in FACTS.items()}
    assert corpus.sha256 == {f"ptb.{split}.txt": facts.sha256 for split, facts in FACTS.items()}


def test_plain_files(folder):
    check_tiny(load(folder))


def test_gzipped_files_have_the_hash_of_the_plain_bytes(folder):
    for path in list((folder / "ptb").iterdir()):
        (folder / "ptb" / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    check_tiny(load(folder))


def test_files_without_a_folder_of_their_own(folder):
    for path in list((folder / "ptb").iterdir()):
        path.rename(folder / path.name)
    check_tiny(load(folder))


def test_encode_and_decode(folder):
    corpus = load(folder)
    assert corpus.decode(corpus.valid) == "the mat sat\n"
    assert corpus.decode(corpus.train[:9]) == "the cat sat on the mat\nthe <unk>"
    assert np.array_equal(corpus.encode(TEXTS["train"]), corpus.train)
    assert corpus.encode("the banyan\n").tolist() == [1, corpus.ids["<unk>"], corpus.eos]
    with pytest.raises(DataError, match="'xyzzy' is not one of"):
        load_corpus("banyan", "smoke", say=None).encode("the xyzzy")


# --- the wrong ones --------------------------------------------------------------------------------


def test_a_missing_file(folder):
    (folder / "ptb" / "ptb.valid.txt").unlink()
    message = refusal(folder)
    assert "ptb.valid.txt not found in" in message and "ptb.train.txt" not in message


def test_a_missing_line(folder):
    (folder / "ptb" / "ptb.train.txt").write_bytes(TEXTS["train"].split("\n", 1)[1].encode())
    message = refusal(folder)
    assert "ptb.train.txt is not the published file" in message
    assert "3 sentences and 14 tokens were expected, <eos> included, and 2 and 7 found" in message


def test_a_missing_last_line_break(folder):
    (folder / "ptb" / "ptb.test.txt").write_bytes(TEXTS["test"].rstrip("\n").encode())
    assert "2 sentences and 9 tokens were expected, <eos> included, and 1 and 8 found" in refusal(folder)


def test_an_added_word(folder):
    (folder / "ptb" / "ptb.valid.txt").write_bytes(b" the mat sat sat \n")
    assert "1 sentences and 4 tokens were expected, <eos> included, and 1 and 5 found" in refusal(folder)


def test_a_new_word_in_train(folder):
    (folder / "ptb" / "ptb.train.txt").write_bytes(TEXTS["train"].replace("on the", "on thy").encode())
    assert "8 different words were expected, <eos> included, and 9 found" in refusal(folder)


def test_an_unknown_word_in_valid_or_test(folder):
    (folder / "ptb" / "ptb.test.txt").write_bytes(TEXTS["test"].replace("on", "under").encode())
    message = refusal(folder)
    assert "ptb.test.txt" in message and "'under'" in message and "ptb.train.txt" in message


@pytest.mark.parametrize("split", TEXTS)
def test_the_same_counts_and_another_hash(folder, split):
    path = folder / "ptb" / f"ptb.{split}.txt"
    path.write_bytes(TEXTS[split].replace(" a ", " a  ").replace("the mat sat", "the sat mat").encode())
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    message = refusal(folder)
    assert path.name in message
    assert f"SHA-256 {FACTS[split].sha256} was expected and {found} found" in message


def test_a_file_under_another_files_name(folder):
    (folder / "ptb" / "ptb.test.txt").write_bytes(TEXTS["valid"].encode())
    assert "the test split was expected and this is ptb.valid.txt" in refusal(folder)


def test_windows_line_ends(folder):
    (folder / "ptb" / "ptb.train.txt").write_bytes(TEXTS["train"].replace("\n", "\r\n").encode())
    assert "CRLF" in refusal(folder)


def test_not_utf8(folder):
    (folder / "ptb" / "ptb.valid.txt").write_bytes(b" the m\xe4t sat \n")
    message = refusal(folder)
    assert "UTF-8" in message and "0xe4" in message and "byte 6" in message


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data[:20], lambda data: b"no gzip"])
def test_a_damaged_gzip_file(folder, damage):
    path = folder / "ptb" / "ptb.train.txt"
    packed = folder / "ptb" / "ptb.train.txt.gz"
    packed.write_bytes(damage(gzip.compress(path.read_bytes())))
    path.unlink()
    message = refusal(folder)
    assert "ptb.train.txt.gz is not a complete gzip file" in message


def test_a_folder_in_a_files_place(folder):
    (folder / "ptb" / "ptb.train.txt").unlink()
    (folder / "ptb" / "ptb.train.txt").mkdir()
    assert "ptb.train.txt cannot be read" in refusal(folder)


# --- which corpus ----------------------------------------------------------------------------------


@pytest.fixture
def tiny_ptb(monkeypatch, folder):
    """The tiny files, where the real ones are expected."""
    monkeypatch.setattr(ptb, "FACTS", FACTS)
    monkeypatch.setattr(ptb, "WORDS", WORDS)
    return folder


def test_auto_takes_the_real_files_where_they_are(tiny_ptb, monkeypatch):
    monkeypatch.setenv("LSTM_TUTORIAL_DATA", str(tiny_ptb))
    said = []
    corpus = load_corpus("auto", "smoke", say=said.append)
    assert corpus.name == "ptb" and said == [corpus.note] and "Penn Treebank" in corpus.note
    check_tiny(corpus)


def test_auto_takes_the_stand_in_and_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("LSTM_TUTORIAL_DATA", str(tmp_path))
    said = []
    corpus = load_corpus("auto", "smoke", say=said.append)
    assert corpus.name == "banyan" and corpus.size == "smoke" and said == [corpus.note]
    assert "\n" not in corpus.note and "stands in for Penn Treebank" in corpus.note
    assert "ptb.train.txt" in corpus.note
    assert load_corpus("banyan", "smoke", say=None).note != corpus.note


def test_auto_names_the_damage(tiny_ptb, monkeypatch):
    (tiny_ptb / "ptb" / "ptb.valid.txt").write_bytes(b" the mat sat sat \n")
    monkeypatch.setenv("LSTM_TUTORIAL_DATA", str(tiny_ptb))
    assert "5 found" in load_corpus("auto", "smoke", say=None).note


def test_an_explicit_ptb_that_is_not_here(monkeypatch, tmp_path):
    with pytest.raises(DataError, match="data fetch ptb"):
        load_corpus("ptb", say=None)
    monkeypatch.setenv("LSTM_TUTORIAL_DATA", str(tmp_path))
    with pytest.raises(DataError, match="ptb.train.txt, ptb.valid.txt, ptb.test.txt not found"):
        load_corpus("ptb", say=None)
    monkeypatch.setenv("LSTM_TUTORIAL_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="which is not a folder"):
        load_corpus("ptb", say=None)


def test_unknown_names_are_refused(monkeypatch):
    with pytest.raises(DataError, match="choose auto, ptb or banyan"):
        load_corpus("wikitext")
    with pytest.raises(DataError, match="choose smoke, laptop, paper"):
        load_corpus("banyan", "huge")


def test_the_size_is_that_of_the_mode(monkeypatch):
    monkeypatch.setenv("LSTM_TUTORIAL_MODE", "smoke")
    assert load_corpus("banyan", say=None).size == "smoke"


# --- downloads -------------------------------------------------------------------------------------


@pytest.fixture
def server(monkeypatch):
    """A server on this machine that offers `server.texts`, in place of the real address."""
    texts, requests = dict(TEXTS), []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            split = self.path.split(".")[1]
            if split not in texts:
                return self.send_error(404)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(texts[split].encode())

        def log_message(self, *args):
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    running.texts, running.requests = texts, requests
    monkeypatch.setattr(ptb, "ADDRESS", f"http://127.0.0.1:{running.server_port}/ptb.{{}}.txt")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield running
    running.shutdown()
    running.server_close()


def test_download_once_then_from_the_cache(tiny_ptb, server, tmp_path):
    said = []
    check_tiny(load_corpus("ptb", say=said.append, offline=False))
    assert len(said) == 4 and said[0].startswith("Downloading http") and said[3].startswith("Corpus")
    assert (tmp_path / "cache" / "ptb" / "ptb.train.txt").read_bytes() == TEXTS["train"].encode()
    said.clear()
    check_tiny(load_corpus("ptb", say=said.append, offline=False))
    assert len(said) == 1 and len(server.requests) == 3
    check_tiny(load_corpus("ptb", say=None))  # LSTM_TUTORIAL_OFFLINE=1 may read the cache


def test_a_damaged_cache_is_named_offline_and_mended_online(tiny_ptb, server, tmp_path):
    load_corpus("ptb", say=None, offline=False)
    (tmp_path / "cache" / "ptb" / "ptb.test.txt").write_bytes(b" a \n")
    with pytest.raises(DataError, match="ptb.test.txt is not the published file.*data fetch ptb"):
        load_corpus("ptb", say=None)
    check_tiny(load_corpus("ptb", say=None, offline=False))


def test_a_wrong_download_is_refused_and_leaves_nothing(tiny_ptb, server, tmp_path):
    server.texts["train"] = "<html>please log in</html>"
    with pytest.raises(
        DataError, match=r"ptb.train.txt could not be downloaded from http.*SHA-256 was wrong"
    ):
        load_corpus("ptb", say=None, offline=False)
    assert not list((tmp_path / "cache").rglob("*.txt"))
    assert len(server.requests) == 1  # one attempt, and no second file


def test_auto_survives_a_server_that_is_not_there(tiny_ptb, server):
    server.texts.clear()
    corpus = load_corpus("auto", "smoke", say=None, offline=False)
    assert corpus.name == "banyan" and "could not be downloaded" in corpus.note
    server.shutdown()
    server.server_close()
    corpus = load_corpus("auto", "smoke", say=None, offline=False)
    assert corpus.name == "banyan" and "ConnectionError" in corpus.note


def test_nothing_is_downloaded_where_it_is_forbidden(tiny_ptb, server, monkeypatch, tmp_path):
    load_corpus("auto", "smoke", say=None)  # LSTM_TUTORIAL_OFFLINE=1
    monkeypatch.delenv("LSTM_TUTORIAL_OFFLINE")
    load_corpus("auto", "smoke", say=None, offline=True)
    monkeypatch.setenv("LSTM_TUTORIAL_DATA", str(tmp_path))  # an empty folder of the reader's own
    load_corpus("auto", "smoke", say=None, offline=False)
    verify()
    assert server.requests == []
    monkeypatch.delenv("LSTM_TUTORIAL_DATA")
    assert load_corpus("auto", "smoke", say=None).name == "ptb" and len(server.requests) == 3


# --- the command line ------------------------------------------------------------------------------


@pytest.fixture
def data(capsys):
    """`data("verify", "ptb")` -> (exit code, what was printed)."""
    parser = argparse.ArgumentParser(prog="python -m lstm_tutorial")
    cli.add_parser(parser.add_subparsers())

    def run(*arguments):
        args = parser.parse_args(["data", *arguments])
        return args.func(args), capsys.readouterr().out

    return run


def test_verify_the_right_files(tiny_ptb, monkeypatch, data):
    monkeypatch.setenv("LSTM_TUTORIAL_DATA", str(tiny_ptb))
    code, out = data("verify")
    assert code == 0
    assert "ptb: ok" in out and "banyan: ok" in out and str(tiny_ptb) in out
    assert "3 sentences        14 tokens" in out


def test_verify_missing_files(data):
    code, out = data("verify")
    assert code == 0 and "ptb: missing" in out  # nobody asked for them
    code, out = data("verify", "ptb")
    assert code == 2 and "data fetch ptb" in out
    assert data("verify", "banyan")[0] == 0


def test_verify_wrong_files(tiny_ptb, monkeypatch, data):
    monkeypatch.setenv("LSTM_TUTORIAL_DATA", str(tiny_ptb))
    (tiny_ptb / "ptb" / "ptb.test.txt").write_bytes(b" a \n")
    code, out = data("verify")
    assert code == 2 and "ptb: wrong" in out and "1 and 2 found" in out
    (tiny_ptb / "ptb" / "ptb.test.txt").unlink()
    code, out = data("verify")
    assert code == 2 and "ptb.test.txt not found" in out


def test_verify_a_folder_that_is_not_there(monkeypatch, tmp_path, data):
    monkeypatch.setenv("LSTM_TUTORIAL_DATA", str(tmp_path / "nowhere"))
    code, out = data("verify", "ptb")
    assert code == 2 and "not a folder" in out


def test_a_changed_grammar_is_noticed(monkeypatch, data):
    monkeypatch.setitem(registry.banyan.SEEDS, "valid", 7)
    code, out = data("verify")
    assert code == 2 and "banyan: wrong" in out and "banyan.valid.txt" in out


def test_list_states_terms_and_citations(data):
    code, out = data("list")
    assert code == 0
    for entry in registry.DATA_SETS.values():
        assert entry.title in out and entry.terms[:40] in out and entry.citation[:40] in out


def test_fetch(tiny_ptb, server, monkeypatch, data, tmp_path):
    code, out = data("fetch", "ptb")
    assert code == 2 and "LSTM_TUTORIAL_OFFLINE" in out and server.requests == []
    monkeypatch.delenv("LSTM_TUTORIAL_OFFLINE")
    code, out = data("fetch")
    assert code == 0 and "No open licence" in out and "ptb: ok" in out and "nothing to fetch" in out
    monkeypatch.setenv("LSTM_TUTORIAL_DATA", str(tmp_path))
    server.requests.clear()
    code, out = data("fetch", "ptb")
    assert code == 2 and "LSTM_TUTORIAL_DATA is set" in out and server.requests == []


def test_unknown_data_sets_are_refused(data):
    with pytest.raises(DataError, match="choose from ptb, banyan"):
        data("verify", "wikitext")


# --- the real files --------------------------------------------------------------------------------


@pytest.mark.real_data("ptb")
@pytest.mark.skipif(not REAL_FOLDER, reason="set LSTM_TUTORIAL_DATA to a folder with Penn Treebank's files")
def test_the_real_files(monkeypatch):
    monkeypatch.setenv("LSTM_TUTORIAL_DATA", REAL_FOLDER)
    corpus = load_corpus("ptb", say=None)
    assert corpus.token_counts == {"train": 929_589, "valid": 73_760, "test": 82_430}
    assert corpus.sentence_counts == {"train": 42_068, "valid": 3_370, "test": 3_761}
    assert len(corpus.vocabulary) == 10_000 and corpus.vocabulary[:3] == ("the", "<unk>", "<eos>")
    # The unigram floor, measured independently: train counts, every token scored.
    shares = np.bincount(corpus.train, minlength=10_000) / len(corpus.train)
    for split, floor in (("valid", 687.03), ("test", 639.30)):
        assert np.exp(-np.log(shares[getattr(corpus, split)]).mean()) == pytest.approx(floor, abs=0.005)
