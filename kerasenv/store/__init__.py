"""What was once installed, kept with its bytecode, to be laid into new environments.

Below `store/` in the user's cache lie

    entries/3.11-linux-x86_64/numpy-2.1.3-0a1b2c3d4e5f6a7b/    one package, from one file, for one Python
        entry.json    what it is of
        files.jsonl   every file: what it was when it was taken
        digests.json  the sha256 of each
        tree/         the files, by their paths in an environment
        spare/        the same once more, ready to be moved into the next environment
    running/          what the processes need that are at work now
    coming/           which processes were started that will put something in
    uses/             which environment was made from which entries, and when
    work/             what is on its way in or out; the next at work clears away what a killed process left of it
    keeper            locked by the one process at a time that puts entries in
    guard             locked for the moments in which one is chosen, or taken away

An entry appears whole and goes away as a whole; of what it holds only the spare comes and goes. Whoever changes what is
written in an entry has to give the folder `entries` another name: an older kerasenv may use the same store.
"""
